// Call the gateway's `persons` service from node: SOAP 1.1 or 1.2, signed with SHA-256, the answer's signature checked.
//
//     npm ci          (package.json and package-lock.json beside this file name the versions)
//     node partner_node.mjs --wsdl https://gateway.example/soap/persons/v1-0?wsdl --key me.key --certificate me.pem \
//         --gateway gateway.pem --rule p8.1 --purpose social-service 320000-00001
//
// `soap` signs the request but verifies no answer, and it reads elements by name wherever they stand. So the answer is
// taken here from the very bytes that the gateway signed.

import { X509Certificate, createPrivateKey, randomUUID, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { parseArgs } from 'node:util';
import { DOMParser } from '@xmldom/xmldom';
import soap from 'soap';
import { SignedXml } from 'xml-crypto';

const SERVICE = 'urn:spolis:gateway:persons:v1-0';
const FAULT = 'urn:spolis:gateway:fault:v1-0';
const SOAP = { 1.1: 'http://schemas.xmlsoap.org/soap/envelope/', 1.2: 'http://www.w3.org/2003/05/soap-envelope' };
const OASIS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity';
const WSSE = `${OASIS}-secext-1.0.xsd`;
const WSU = `${OASIS}-utility-1.0.xsd`;
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const WSA = 'http://www.w3.org/2005/08/addressing';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const ECDSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const TRIES = 3;

/** `xml-crypto` has RSA only. XML Signature has the two numbers of ECDSA side by side, not in DER. */
class EcdsaSha256 {
  getSignature = (info, key) =>
    sign('sha256', Buffer.from(info), { ...key, dsaEncoding: 'ieee-p1363' }).toString('base64');
  verifySignature = (info, key, value) =>
    verify('sha256', Buffer.from(info), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(value, 'base64'));
  getAlgorithmName = () => ECDSA_SHA256;
}

/** The answer cannot be believed: nothing of it may be read. */
class AnswerRefused extends Error {}

const parse = (text) => new DOMParser().parseFromString(text, 'text/xml');
const elements = (node) => Array.from(node.childNodes).filter((child) => child.nodeType === 1);
const children = (node, space, name) =>
  elements(node).filter((child) => child.namespaceURI === space && (!name || child.localName === name));

/** The one child of its name; two would be one too many. */
function only(node, space, name) {
  const found = children(node, space, name);
  if (found.length !== 1) throw new AnswerRefused(`it has ${found.length} ${name}, not one`);
  return found[0];
}

/** The content of an answer, from the bytes of the Body that the gateway signed. Throws where its signature fails. */
function verified(xml, gateway, messageId) {
  if (xml.includes('<!DOCTYPE')) throw new AnswerRefused('it has a DOCTYPE');
  const envelope = parse(xml).documentElement;
  const space = envelope.namespaceURI;
  if (envelope.localName !== 'Envelope' || !Object.values(SOAP).includes(space)) {
    throw new AnswerRefused('it is no envelope');
  }
  const header = only(envelope, space, 'Header');
  const security = only(header, WSSE, 'Security');
  // The signed Body must be the one that stands where a Body stands, or somebody has been at the answer.
  const inPlace = [only(envelope, space, 'Body'), only(security, WSU, 'Timestamp'), ...children(header, WSA)];
  const signature = only(security, DS, 'Signature');
  const info = only(signature, DS, 'SignedInfo');
  const method = only(info, DS, 'SignatureMethod').getAttribute('Algorithm');
  if (![RSA_SHA256, ECDSA_SHA256].includes(method)) throw new AnswerRefused(`it is signed with ${method}`);
  const references = children(info, DS, 'Reference');
  const ids = inPlace.map((element) => `#${element.getAttributeNS(WSU, 'Id')}`).sort();
  if (String(references.map((reference) => reference.getAttribute('URI')).sort()) !== String(ids)) {
    throw new AnswerRefused('its Body, Timestamp or an addressing header is not signed');
  }
  for (const reference of references) {
    const transform = only(only(reference, DS, 'Transforms'), DS, 'Transform').getAttribute('Algorithm');
    const digest = only(reference, DS, 'DigestMethod').getAttribute('Algorithm');
    if (transform !== EXCLUSIVE || digest !== SHA256) throw new AnswerRefused('it is digested in another way');
  }
  const check = new SignedXml({
    idMode: 'wssecurity',
    publicCert: gateway,
    // The key is the one that the gateway gave us, whatever the message says of itself.
    getCertFromKeyInfo: () => null,
  });
  check.SignatureAlgorithms[ECDSA_SHA256] = EcdsaSha256;
  check.loadSignature(signature);
  let holds = false;
  try {
    holds = check.checkSignature(xml);
  } catch (error) {
    throw new AnswerRefused(`its signature cannot be checked: ${error.message}`);
  }
  if (!holds) throw new AnswerRefused('its signature does not hold');
  const parts = check.getSignedReferences().map((part) => parse(part).documentElement);
  const part = (name, namespace) => {
    const found = parts.filter((element) => element.namespaceURI === namespace && element.localName === name);
    if (found.length !== 1) throw new AnswerRefused(`its ${name} is not signed once`);
    return found[0];
  };
  const created = Date.parse(only(part('Timestamp', WSU), WSU, 'Created').textContent);
  if (!(Math.abs(Date.now() - created) < 300_000)) throw new AnswerRefused('it is not fresh');
  const contents = elements(part('Body', space));
  if (contents.length !== 1) throw new AnswerRefused('its Body has not one element');
  const fault = contents[0].localName === 'Fault' && contents[0].namespaceURI === space;
  // A Fault says to what it relates when the gateway got as far as believing the request.
  const related = children(header, WSA, 'RelatesTo').length ? part('RelatesTo', WSA).textContent : null;
  if (related === null ? !fault : related !== messageId) throw new AnswerRefused('it is to another message');
  return { content: contents[0], fault };
}

/** What the gateway says of a Fault: code of SOAP, code of the gateway, whether sending again can help, words. */
function kluda(fault) {
  const text = (space, name) =>
    Array.from(fault.getElementsByTagNameNS('*', name)).find((one) => (one.namespaceURI || null) === space)
      ?.textContent ?? '';
  const code = text(null, 'faultcode') || text(SOAP[1.2], 'Value');
  const words = text(null, 'faultstring') || text(SOAP[1.2], 'Text');
  return { code, kods: text(FAULT, 'Kods'), again: text(FAULT, 'AtkartotVar') === 'true', words };
}

/** Send a message until it is answered: the same MessageID and Body each time, so that it has one effect. */
async function ask(client, request, gateway, tls) {
  const messageId = `urn:uuid:${randomUUID()}`;
  for (let left = TRIES - 1; ; left--) {
    client.clearSoapHeaders();
    // Each header declares its prefix itself: `soap` signs the element as if it stood alone.
    client.addSoapHeader(`<wsa:Action xmlns:wsa="${WSA}">${SERVICE}/GetPerson</wsa:Action>`);
    client.addSoapHeader(`<wsa:MessageID xmlns:wsa="${WSA}">${messageId}</wsa:MessageID>`);
    let answered;
    try {
      [, answered] = await client.GetPersonAsync(request, tls);
    } catch (error) {
      // A Fault is an answer too. Where there is none, whether the gateway did it is not known.
      answered = error.body;
      if (typeof answered !== 'string' || !answered.includes('Envelope')) {
        if (left) continue;
        throw error;
      }
    }
    const { content, fault } = verified(answered, gateway, messageId);
    if (fault && left && kluda(content).again) continue;
    return { content, fault };
  }
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    wsdl: { type: 'string' },
    key: { type: 'string' },
    certificate: { type: 'string' },
    gateway: { type: 'string' },
    authority: { type: 'string' },
    'tls-key': { type: 'string' },
    'tls-certificate': { type: 'string' },
    soap: { type: 'string', default: '1.1' },
    purpose: { type: 'string', default: 'social-service' },
    rule: { type: 'string', default: 'p8.1' },
    environment: { type: 'string', default: 'test' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help || !positionals.length || !options.wsdl || !options.key || !options.certificate || !options.gateway) {
  console.error('node partner_node.mjs --wsdl URL --key FILE --certificate FILE --gateway FILE [--authority FILE]');
  console.error('    [--tls-key FILE --tls-certificate FILE] [--soap 1.2]');
  console.error('    [--purpose P] [--rule R] [--environment E] CODE...');
  process.exit(options.help ? 0 : 2);
}
const key = readFileSync(options.key, 'utf8');
const certificate = readFileSync(options.certificate, 'utf8');
const gateway = new X509Certificate(readFileSync(options.gateway)).toString();
// `soap` asks with axios, which takes what belongs to TLS from an agent alone.
const tls = {
  httpsAgent: new Agent({
    ...(options.authority ? { ca: readFileSync(options.authority) } : {}),
    ...(options['tls-key']
      ? { key: readFileSync(options['tls-key']), cert: readFileSync(options['tls-certificate']) }
      : {}),
  }),
  timeout: 60_000,
};

/** An error of axios holds the agent and so the private key: of it nothing but the message may be shown. */
const shown = (error) => (error instanceof AnswerRefused ? 'the answer is refused: ' : 'no answer: ') + error.message;

let client;
try {
  client = await soap.createClientAsync(options.wsdl, {
    wsdl_options: tls,
    forceSoap12Headers: options.soap === '1.2',
  });
} catch (error) {
  console.error(shown(error));
  process.exit(1);
}
const security = new soap.WSSecurityCert(key, certificate, '', {
  hasTimeStamp: true,
  signatureAlgorithm: createPrivateKey(key).asymmetricKeyType === 'ec' ? ECDSA_SHA256 : RSA_SHA256,
  digestAlgorithm: SHA256,
  signatureTransformations: [EXCLUSIVE],
  signerOptions: { idMode: 'wssecurity' },
  // Every addressing header that is sent must be signed.
  additionalReferences: ['wsa:Action', 'wsa:MessageID'],
});
security.signer.SignatureAlgorithms[ECDSA_SHA256] = EcdsaSha256;
client.setSecurity(security);

const tree = (element) =>
  elements(element).length ? elements(element).map((child) => [child.localName, tree(child)]) : element.textContent;
for (const code of positionals) {
  const request = {
    Konteksts: {
      Merkis: options.purpose,
      Tiesibas: options.rule,
      Darbinieks: { Identifikators: 'PK:390000-00001', Iestade: '90000000001', Loma: 'social worker' },
      PieprasijumaId: randomUUID(),
      Vide: options.environment,
    },
    PersonasKods: code,
  };
  try {
    const { content, fault } = await ask(client, request, gateway, tls);
    if (fault) {
      const said = kluda(content);
      console.error(`${said.code}: ${said.kods}: ${said.words}`);
      process.exitCode = 1;
    } else {
      console.log(JSON.stringify(tree(content)));
    }
  } catch (error) {
    console.error(shown(error));
    process.exitCode = 1;
  }
}
