// Call the gateway's `persons` service from node: SOAP 1.1, signed with SHA-256, the answer's signature checked.
//
//     npm install soap xml-crypto @xmldom/xmldom
//     node partner_node.mjs --wsdl https://gateway.example/soap/persons/v1-0?wsdl --key me.key --certificate me.pem \
//         --gateway gateway.pem --rule p8.1 --purpose social-service 320000-00001
//
// `soap` signs the request but verifies no answer, and it reads elements by name wherever they stand. So the answer is
// taken here from the very bytes that the gateway signed.

import { X509Certificate, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { DOMParser } from '@xmldom/xmldom';
import soap from 'soap';
import { SignedXml } from 'xml-crypto';

const SERVICE = 'urn:spolis:gateway:persons:v1-0';
const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const OASIS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity';
const WSSE = `${OASIS}-secext-1.0.xsd`;
const WSU = `${OASIS}-utility-1.0.xsd`;
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const WSA = 'http://www.w3.org/2005/08/addressing';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const ECDSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';

const parse = (text) => new DOMParser().parseFromString(text, 'text/xml');
const elements = (node) => Array.from(node.childNodes).filter((child) => child.nodeType === 1);
const children = (node, space, name) =>
  elements(node).filter((child) => child.namespaceURI === space && child.localName === name);

/** The one child of its name; two would be one too many. */
function only(node, space, name) {
  const found = children(node, space, name);
  if (found.length !== 1) throw new Error(`the answer has ${found.length} ${name}, not one`);
  return found[0];
}

/** The answer's Body and RelatesTo, from the bytes that the gateway signed. Throws where the signature does not hold. */
function verified(xml, gateway) {
  if (xml.includes('<!DOCTYPE')) throw new Error('the answer has a DOCTYPE');
  const envelope = parse(xml).documentElement;
  if (envelope.localName !== 'Envelope' || envelope.namespaceURI !== SOAP) throw new Error('the answer is no envelope');
  const header = only(envelope, SOAP, 'Header');
  const security = only(header, WSSE, 'Security');
  const signature = only(security, DS, 'Signature');
  const method = only(only(signature, DS, 'SignedInfo'), DS, 'SignatureMethod').getAttribute('Algorithm');
  if (![RSA_SHA256, ECDSA_SHA256].includes(method)) throw new Error(`the answer is signed with ${method}`);
  const check = new SignedXml({
    idMode: 'wssecurity',
    publicCert: gateway,
    // The key is the one that the gateway gave us, whatever the message says of itself.
    getCertFromKeyInfo: () => null,
  });
  check.loadSignature(signature);
  if (!check.checkSignature(xml)) throw new Error('the signature of the answer does not hold');
  const parts = check.getSignedReferences().map((part) => parse(part).documentElement);
  const part = (space, name) => {
    const found = parts.filter((element) => element.namespaceURI === space && element.localName === name);
    if (found.length !== 1) throw new Error(`the answer's ${name} is not signed once`);
    return found[0];
  };
  const stamp = part(WSU, 'Timestamp');
  const created = Date.parse(only(stamp, WSU, 'Created').textContent);
  if (!(Math.abs(Date.now() - created) < 300_000)) throw new Error('the answer is not fresh');
  const related = children(header, WSA, 'RelatesTo').length ? part(WSA, 'RelatesTo').textContent : null;
  return { body: part(SOAP, 'Body'), related };
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    wsdl: { type: 'string' },
    key: { type: 'string' },
    certificate: { type: 'string' },
    gateway: { type: 'string' },
    authority: { type: 'string' },
    tls: { type: 'boolean', default: false },
    purpose: { type: 'string', default: 'social-service' },
    rule: { type: 'string', default: 'p8.1' },
    environment: { type: 'string', default: 'test' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help || positionals.length !== 1 || !options.wsdl || !options.key || !options.certificate || !options.gateway) {
  console.error('node partner_node.mjs --wsdl URL --key FILE --certificate FILE --gateway FILE [--authority FILE] [--tls]');
  console.error('    [--purpose P] [--rule R] [--environment E] CODE');
  process.exit(options.help ? 0 : 2);
}
const key = readFileSync(options.key, 'utf8');
const certificate = readFileSync(options.certificate, 'utf8');
const gateway = new X509Certificate(readFileSync(options.gateway)).toString();
const tls = {
  ...(options.authority ? { ca: readFileSync(options.authority) } : {}),
  ...(options.tls ? { key, cert: certificate } : {}),
};

const client = await soap.createClientAsync(options.wsdl, { wsdl_options: tls });
client.setSecurity(
  new soap.WSSecurityCert(key, certificate, '', {
    hasTimeStamp: true,
    signatureAlgorithm: RSA_SHA256,
    digestAlgorithm: SHA256,
    signatureTransformations: [EXCLUSIVE],
    signerOptions: { idMode: 'wssecurity' },
    // Every addressing header that is sent must be signed.
    additionalReferences: ['wsa:Action', 'wsa:MessageID'],
  }),
);
const messageId = `urn:uuid:${randomUUID()}`;
// Each header declares its prefix itself: `soap` signs the element as if it stood alone.
client.addSoapHeader(`<wsa:Action xmlns:wsa="${WSA}">${SERVICE}/GetPerson</wsa:Action>`);
client.addSoapHeader(`<wsa:MessageID xmlns:wsa="${WSA}">${messageId}</wsa:MessageID>`);

const request = {
  Konteksts: {
    Merkis: options.purpose,
    Tiesibas: options.rule,
    Darbinieks: { Identifikators: 'PK:390000-00001', Iestade: '90000000001', Loma: 'social worker' },
    PieprasijumaId: randomUUID(),
    Vide: options.environment,
  },
  PersonasKods: positionals[0],
};
let answered;
try {
  [, answered] = await client.GetPersonAsync(request, tls);
} catch (error) {
  // A Fault is an answer too; anything else (no connection, no SOAP) goes up.
  if (typeof error.body !== 'string') throw error;
  answered = error.body;
}
const { body, related } = verified(answered, gateway);
if (related !== null && related !== messageId) throw new Error('the answer is to another message');
const [content] = elements(body);
if (content.localName === 'Fault') {
  console.error(children(content, null, 'faultstring').map((text) => text.textContent).join(''));
  console.error(content.getElementsByTagNameNS('urn:spolis:gateway:fault:v1-0', 'Kods')[0]?.textContent);
  process.exit(1);
}
const tree = (element) =>
  elements(element).length
    ? elements(element).map((child) => [child.localName, tree(child)])
    : element.textContent;
console.log(JSON.stringify(tree(content), null, 1));
