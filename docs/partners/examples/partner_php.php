<?php
/*
 * Call the gateway's `persons` service from PHP 8 with ext-soap and ext-dom, signed and verified by the command
 * xmlsec1: SHA-256, RSA or EC keys, and nothing of an answer reaches ext-soap before its signature holds.
 *
 *     apt install php-cli php-soap php-xml xmlsec1
 *     php partner_php.php --wsdl=https://gateway.example/soap/persons/v1-0?wsdl --key=me.key --certificate=me.pem \
 *         --gateway=gateway.pem --rule=p8.1 --purpose=social-service 320000-00001
 *
 * Why not ext-openssl: it signs ECDSA in DER, while XML Signature has the two numbers side by side.
 */

declare(strict_types=1);

const OASIS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-';
const WSSE = OASIS . 'wssecurity-secext-1.0.xsd';
const WSU = OASIS . 'wssecurity-utility-1.0.xsd';
const X509 = OASIS . 'x509-token-profile-1.0#X509v3';
const BASE64 = OASIS . 'soap-message-security-1.0#Base64Binary';
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const WSA = 'http://www.w3.org/2005/08/addressing';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const METHODS = [
    OPENSSL_KEYTYPE_RSA => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    OPENSSL_KEYTYPE_EC => 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256',
];
const FRESH_SECONDS = 300;
const TRIES = 3;

/** The answer cannot be believed: nothing of it may be read. */
final class AnswerRefused extends RuntimeException
{
}

final class GatewayClient extends SoapClient
{
    private string $messageId = '';

    /** Key, certificate and the gateway's certificate are paths of files in PEM. */
    public function __construct(string $wsdl, private string $key, private string $certificate,
        private string $gateway, array $options)
    {
        parent::__construct($wsdl, ['cache_wsdl' => WSDL_CACHE_NONE, 'exceptions' => true] + $options);
    }

    /** Send a message until it is answered: the same MessageID and Body each time, so that it has one effect. */
    public function ask(array $request): object
    {
        $this->messageId = 'urn:uuid:' . uuid();
        for ($left = TRIES - 1;; $left--) {
            try {
                return $this->GetPerson($request);
            } catch (SoapFault $fault) {
                // HTTP is ext-soap's own word for no answer: whether the gateway did it is not known. And in a detail
                // everything is a string: 'false' is true.
                $again = $fault->faultcode === 'HTTP' || (kluda($fault)->AtkartotVar ?? '') === 'true';
                if (!$again || $left === 0) {
                    throw $fault;
                }
            }
        }
    }

    #[ReturnTypeWillChange]
    public function __doRequest($request, $location, $action, $version, $oneWay = false): ?string
    {
        $answer = parent::__doRequest($this->signed($request), $location, $action, $version, $oneWay);
        if (!is_string($answer)) {
            return $answer; // no connection: SoapClient says so
        }
        return $this->verified($answer);
    }

    /** The envelope with MessageID, Timestamp, token and a signature over MessageID, Timestamp and Body. */
    private function signed(string $request): string
    {
        $document = self::parsed($request);
        $envelope = $document->documentElement;
        $soap = $envelope->namespaceURI;
        $body = self::only($envelope, $soap, 'Body');
        $header = $envelope->insertBefore($document->createElementNS($soap, $envelope->prefix . ':Header'), $body);
        $message = $header->appendChild($document->createElementNS(WSA, 'wsa:MessageID', $this->messageId));
        $security = $header->appendChild($document->createElementNS(WSSE, 'wsse:Security'));
        $security->setAttributeNS($soap, $envelope->prefix . ':mustUnderstand', '1');
        $now = time();
        $timestamp = $security->appendChild($document->createElementNS(WSU, 'wsu:Timestamp'));
        foreach (['Created' => $now, 'Expires' => $now + FRESH_SECONDS] as $name => $instant) {
            $timestamp->appendChild(
                $document->createElementNS(WSU, "wsu:$name", gmdate('Y-m-d\TH:i:s\Z', $instant)));
        }
        $der = preg_replace('/-----[A-Z ]+-----|\s+/', '', file_get_contents($this->certificate));
        $token = $security->appendChild($document->createElementNS(WSSE, 'wsse:BinarySecurityToken', $der));
        $token->setAttribute('ValueType', X509);
        $token->setAttribute('EncodingType', BASE64);
        $token->setAttributeNS(WSU, 'wsu:Id', 'token');

        // A template that xmlsec1 fills in: what is signed, and how.
        $references = '';
        foreach (['body' => $body, 'message' => $message, 'timestamp' => $timestamp] as $id => $part) {
            $part->setAttributeNS(WSU, 'wsu:Id', $id);
            $references .= "<ds:Reference URI=\"#$id\"><ds:Transforms><ds:Transform Algorithm=\"" . EXCLUSIVE
                . '"/></ds:Transforms><ds:DigestMethod Algorithm="' . SHA256 . '"/><ds:DigestValue/></ds:Reference>';
        }
        $kind = openssl_pkey_get_details(openssl_pkey_get_private('file://' . $this->key))['type'];
        $signature = $document->createDocumentFragment();
        $signature->appendXML('<ds:Signature xmlns:ds="' . DS . '"><ds:SignedInfo>'
            . '<ds:CanonicalizationMethod Algorithm="' . EXCLUSIVE . '"/>'
            . '<ds:SignatureMethod Algorithm="' . METHODS[$kind] . "\"/>$references</ds:SignedInfo>"
            . '<ds:SignatureValue/><ds:KeyInfo><wsse:SecurityTokenReference xmlns:wsse="' . WSSE . '">'
            . '<wsse:Reference URI="#token" ValueType="' . X509 . '"/></wsse:SecurityTokenReference></ds:KeyInfo>'
            . '</ds:Signature>');
        $security->appendChild($signature);
        $parts = [$body, $message, $timestamp];
        [$status, $signed] = self::xmlsec(['--sign', '--privkey-pem', $this->key], $document, $parts);
        if ($status !== 0) {
            throw new RuntimeException('xmlsec1 cannot sign with this key');
        }
        return $signed;
    }

    /** The answer's envelope with its verified Body alone. Throws where the signature does not hold. */
    private function verified(string $answer): string
    {
        $document = self::parsed($answer);
        $envelope = $document->documentElement;
        $soap = $envelope->namespaceURI;
        $header = self::only($envelope, $soap, 'Header');
        $security = self::only($header, WSSE, 'Security');
        $timestamp = self::only($security, WSU, 'Timestamp');
        $body = self::only($envelope, $soap, 'Body');
        $signature = self::only($security, DS, 'Signature');
        $info = self::only($signature, DS, 'SignedInfo');
        $parts = [$body, $timestamp, ...self::children($header, WSA)];

        // By their places: each of these has an Id that nothing else has, and these are what is signed.
        $ids = [];
        $named = '//@*[local-name()="Id" or local-name()="ID" or local-name()="id"]';
        foreach ((new DOMXPath($document))->query($named) as $id) {
            $ids[] = $id->value;
        }
        if (count($ids) !== count(array_unique($ids))) {
            throw new AnswerRefused('the answer has the same Id twice');
        }
        $references = self::children($info, DS, 'Reference');
        $signed = array_map(static fn (DOMElement $one): string => $one->getAttribute('URI'), $references);
        $expected = array_map(static fn (DOMElement $one): string => '#' . $one->getAttributeNS(WSU, 'Id'), $parts);
        if (array_diff($expected, $signed) || count($signed) !== count($expected)) {
            throw new AnswerRefused('Body, Timestamp or an addressing header of the answer is not signed');
        }
        foreach ($references as $reference) {
            $transform = self::only(self::only($reference, DS, 'Transforms'), DS, 'Transform');
            $method = self::only($reference, DS, 'DigestMethod');
            if ($transform->getAttribute('Algorithm') !== EXCLUSIVE || $method->getAttribute('Algorithm') !== SHA256) {
                throw new AnswerRefused('the answer is digested in another way');
            }
        }
        if (!in_array(self::only($info, DS, 'SignatureMethod')->getAttribute('Algorithm'), METHODS, true)) {
            throw new AnswerRefused('the answer is signed with another algorithm');
        }
        // xmlsec1 takes a KeyValue of the message before the key that it is given: the message may not name one.
        foreach (self::children($signature, DS, 'KeyInfo') as $named) {
            $signature->removeChild($named);
        }
        [$status] = self::xmlsec(['--verify', '--pubkey-cert-pem', $this->gateway], $document, $parts);
        if ($status !== 0) {
            throw new AnswerRefused('the signature of the answer does not hold');
        }

        if (abs(time() - strtotime(self::only($timestamp, WSU, 'Created')->textContent)) > FRESH_SECONDS) {
            throw new AnswerRefused('the answer is not fresh');
        }
        // A Fault says to what it relates when the gateway got as far as believing the request.
        $related = self::children($header, WSA, 'RelatesTo');
        $fault = self::children($body, $soap, 'Fault');
        if (($related === [] && $fault === []) || ($related !== [] && $related[0]->textContent !== $this->messageId)) {
            throw new AnswerRefused('the answer is to another message');
        }
        $envelope->removeChild($header);
        return $document->saveXML();
    }

    /**
     * Run xmlsec1 over a document in which only these elements have Ids; its exit status and what it wrote.
     *
     * @param list<DOMElement> $parts
     * @return array{int, string}
     */
    private static function xmlsec(array $command, DOMDocument $document, array $parts): array
    {
        foreach ($parts as $part) {
            array_push($command, '--id-attr:Id', "$part->namespaceURI:$part->localName");
        }
        $file = tempnam(sys_get_temp_dir(), 'message');
        try {
            $document->save($file);
            // An array: no shell reads it.
            $streams = [1 => ['pipe', 'w'], 2 => ['file', '/dev/null', 'w']];
            $process = proc_open(['xmlsec1', ...$command, $file], $streams, $pipes);
            $written = stream_get_contents($pipes[1]);
            return [proc_close($process), $written];
        } finally {
            unlink($file);
        }
    }

    private static function parsed(string $xml): DOMDocument
    {
        $document = new DOMDocument();
        if (str_contains($xml, '<!DOCTYPE') || !@$document->loadXML($xml, LIBXML_NONET)) {
            throw new AnswerRefused('no XML, or XML with a DOCTYPE');
        }
        return $document;
    }

    /** @return list<DOMElement> */
    private static function children(DOMElement $parent, string $space, ?string $name = null): array
    {
        return array_values(array_filter(iterator_to_array($parent->childNodes), static fn (DOMNode $node): bool =>
            $node instanceof DOMElement && $node->namespaceURI === $space
            && ($name === null || $node->localName === $name)));
    }

    private static function only(DOMElement $parent, string $space, string $name): DOMElement
    {
        $found = self::children($parent, $space, $name);
        if (count($found) !== 1) {
            throw new AnswerRefused('the answer has ' . count($found) . " $name, not one");
        }
        return $found[0];
    }
}

/** The gateway's own words about a Fault; null where it is not the gateway's. */
function kluda(SoapFault $fault): ?object
{
    return $fault->detail->Kluda ?? null;
}

function uuid(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

$options = getopt('', ['wsdl:', 'key:', 'certificate:', 'gateway:', 'authority:', 'tls-key:', 'tls-certificate:',
    'soap:', 'purpose:', 'rule:', 'environment:'], $rest);
$codes = array_slice($argv, $rest);
if ($codes === [] || !isset($options['wsdl'], $options['key'], $options['certificate'], $options['gateway'])) {
    fwrite(STDERR, "php partner_php.php --wsdl=URL --key=FILE --certificate=FILE --gateway=FILE [--authority=FILE]"
        . " [--tls-key=FILE --tls-certificate=FILE] [--soap=1.2] [--purpose=P] [--rule=R] [--environment=E] CODE...\n");
    exit(2);
}
$tls = array_filter([
    'cafile' => $options['authority'] ?? null,
    'local_cert' => $options['tls-certificate'] ?? null,
    'local_pk' => $options['tls-key'] ?? null,
]);
ini_set('default_socket_timeout', '60');
$client = new GatewayClient($options['wsdl'], $options['key'], $options['certificate'], $options['gateway'], [
    'soap_version' => ($options['soap'] ?? '1.1') === '1.2' ? SOAP_1_2 : SOAP_1_1,
    'stream_context' => stream_context_create(['ssl' => $tls]),
    // Or one given name is a string and two are a list.
    'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
$failed = false;
foreach ($codes as $code) {
    try {
        $answer = $client->ask([
            'Konteksts' => [
                'Merkis' => $options['purpose'] ?? 'social-service',
                'Tiesibas' => $options['rule'] ?? 'p8.1',
                'Darbinieks' => [
                    'Identifikators' => 'PK:390000-00001', 'Iestade' => '90000000001', 'Loma' => 'social worker',
                ],
                'PieprasijumaId' => uuid(),
                'Vide' => $options['environment'] ?? 'test',
            ],
            'PersonasKods' => $code,
        ]);
        echo json_encode($answer, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), "\n";
    } catch (SoapFault $fault) {
        fwrite(STDERR, "$fault->faultcode: " . (kluda($fault)->Kods ?? '') . ": $fault->faultstring\n");
        $failed = true;
    } catch (AnswerRefused $refused) {
        fwrite(STDERR, 'the answer is refused: ' . $refused->getMessage() . "\n");
        $failed = true;
    }
}
exit($failed ? 1 : 0);
