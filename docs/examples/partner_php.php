<?php
/*
 * Call the gateway's `persons` service from PHP 8 with ext-soap, ext-dom and ext-openssl alone: SOAP 1.1, signed with
 * SHA-256, the answer's signature checked before ext-soap reads it.
 *
 *     php partner_php.php --wsdl=https://gateway.example/soap/persons/v1-0?wsdl --key=me.key --certificate=me.pem \
 *         --gateway=gateway.pem --rule=p8.1 --purpose=social-service 320000-00001
 *
 * For RSA keys. PHP signs ECDSA in DER; XML wants the two numbers side by side, which is left out here.
 */

declare(strict_types=1);

const SERVICE = 'urn:spolis:gateway:persons:v1-0';
const SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
const OASIS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-';
const WSSE = OASIS . 'wssecurity-secext-1.0.xsd';
const WSU = OASIS . 'wssecurity-utility-1.0.xsd';
const X509 = OASIS . 'x509-token-profile-1.0#X509v3';
const BASE64 = OASIS . 'soap-message-security-1.0#Base64Binary';
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const WSA = 'http://www.w3.org/2005/08/addressing';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';

final class GatewayClient extends SoapClient
{
    private string $messageId = '';

    public function __construct(string $wsdl, private string $key, private string $certificate,
        private string $gateway, array $options = [])
    {
        parent::__construct($wsdl, ['soap_version' => SOAP_1_1, 'cache_wsdl' => WSDL_CACHE_NONE] + $options);
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
        $body = self::only($envelope, SOAP, 'Body');
        $body->setAttributeNS(WSU, 'wsu:Id', 'body');
        $header = $envelope->insertBefore($document->createElementNS(SOAP, $envelope->prefix . ':Header'), $body);
        $this->messageId = 'urn:uuid:' . uuid();
        $message = $header->appendChild($document->createElementNS(WSA, 'wsa:MessageID', $this->messageId));
        $message->setAttributeNS(WSU, 'wsu:Id', 'message');
        $security = $header->appendChild($document->createElementNS(WSSE, 'wsse:Security'));
        $security->setAttributeNS(SOAP, $envelope->prefix . ':mustUnderstand', '1');
        $now = time();
        $timestamp = $security->appendChild($document->createElementNS(WSU, 'wsu:Timestamp'));
        $timestamp->setAttributeNS(WSU, 'wsu:Id', 'timestamp');
        foreach (['Created' => $now, 'Expires' => $now + 300] as $name => $instant) {
            $timestamp->appendChild(
                $document->createElementNS(WSU, "wsu:$name", gmdate('Y-m-d\TH:i:s\Z', $instant)));
        }
        $der = preg_replace('/-----[A-Z ]+-----|\s+/', '', $this->certificate);
        $token = $security->appendChild($document->createElementNS(WSSE, 'wsse:BinarySecurityToken', $der));
        $token->setAttribute('ValueType', X509);
        $token->setAttribute('EncodingType', BASE64);
        $token->setAttributeNS(WSU, 'wsu:Id', 'token');

        $references = '';
        foreach (['body' => $body, 'message' => $message, 'timestamp' => $timestamp] as $id => $part) {
            $digest = base64_encode(hash('sha256', $part->C14N(true, false), true));
            $references .= "<ds:Reference URI=\"#$id\"><ds:Transforms><ds:Transform Algorithm=\"" . EXCLUSIVE
                . '"/></ds:Transforms><ds:DigestMethod Algorithm="' . SHA256 . '"/>'
                . "<ds:DigestValue>$digest</ds:DigestValue></ds:Reference>";
        }
        $signature = $document->createDocumentFragment();
        $signature->appendXML('<ds:Signature xmlns:ds="' . DS . '"><ds:SignedInfo>'
            . '<ds:CanonicalizationMethod Algorithm="' . EXCLUSIVE . '"/>'
            . '<ds:SignatureMethod Algorithm="' . RSA_SHA256 . "\"/>$references</ds:SignedInfo>"
            . '<ds:SignatureValue/><ds:KeyInfo><wsse:SecurityTokenReference xmlns:wsse="' . WSSE . '">'
            . '<wsse:Reference URI="#token" ValueType="' . X509 . '"/></wsse:SecurityTokenReference></ds:KeyInfo>'
            . '</ds:Signature>');
        $signature = $security->appendChild($signature);
        $info = self::only($signature, DS, 'SignedInfo')->C14N(true, false);
        if (!openssl_sign($info, $value, $this->key, OPENSSL_ALGO_SHA256)) {
            throw new RuntimeException('the key cannot sign');
        }
        self::only($signature, DS, 'SignatureValue')->nodeValue = base64_encode($value);
        return $document->saveXML();
    }

    /** The answer's envelope with its verified Body alone. Throws where the signature does not hold. */
    private function verified(string $answer): string
    {
        $envelope = self::parsed($answer)->documentElement;
        $header = self::only($envelope, SOAP, 'Header');
        $security = self::only($header, WSSE, 'Security');
        $timestamp = self::only($security, WSU, 'Timestamp');
        $body = self::only($envelope, SOAP, 'Body');
        $signature = self::only($security, DS, 'Signature');
        $info = self::only($signature, DS, 'SignedInfo');
        if (self::only($info, DS, 'SignatureMethod')->getAttribute('Algorithm') !== RSA_SHA256) {
            throw new RuntimeException('the answer is signed with another algorithm');
        }
        $value = base64_decode(self::only($signature, DS, 'SignatureValue')->textContent);
        if (openssl_verify($info->C14N(true, false), $value, $this->gateway, OPENSSL_ALGO_SHA256) !== 1) {
            throw new RuntimeException('the signature of the answer does not hold');
        }
        $digests = [];
        foreach (self::children($info, DS, 'Reference') as $reference) {
            $transform = self::only(self::only($reference, DS, 'Transforms'), DS, 'Transform');
            $method = self::only($reference, DS, 'DigestMethod');
            if ($transform->getAttribute('Algorithm') !== EXCLUSIVE || $method->getAttribute('Algorithm') !== SHA256) {
                throw new RuntimeException('the answer is digested in another way');
            }
            $digests[$reference->getAttribute('URI')] = self::only($reference, DS, 'DigestValue')->textContent;
        }
        // By their places: what stands elsewhere under the same Id is never looked at.
        $related = self::only($header, WSA, 'RelatesTo');
        foreach ([$body, $timestamp, $related] as $part) {
            $digest = base64_encode(hash('sha256', $part->C14N(true, false), true));
            if (($digests['#' . $part->getAttributeNS(WSU, 'Id')] ?? '') !== $digest) {
                throw new RuntimeException("the answer's $part->localName is not signed");
            }
        }
        if (abs(time() - strtotime(self::only($timestamp, WSU, 'Created')->textContent)) > 300) {
            throw new RuntimeException('the answer is not fresh');
        }
        if ($related->textContent !== $this->messageId) {
            throw new RuntimeException('the answer is to another message');
        }
        $envelope->removeChild($header);
        return $envelope->ownerDocument->saveXML();
    }

    private static function parsed(string $xml): DOMDocument
    {
        $document = new DOMDocument();
        if (str_contains($xml, '<!DOCTYPE') || !$document->loadXML($xml, LIBXML_NONET)) {
            throw new RuntimeException('no XML, or XML with a DOCTYPE');
        }
        return $document;
    }

    /** @return list<DOMElement> */
    private static function children(DOMElement $parent, string $space, string $name): array
    {
        return array_values(array_filter(iterator_to_array($parent->childNodes), static fn (DOMNode $node): bool =>
            $node instanceof DOMElement && $node->namespaceURI === $space && $node->localName === $name));
    }

    private static function only(DOMElement $parent, string $space, string $name): DOMElement
    {
        $found = self::children($parent, $space, $name);
        if (count($found) !== 1) {
            throw new RuntimeException("the message has " . count($found) . " $name, not one");
        }
        return $found[0];
    }
}

function uuid(): string
{
    $bytes = random_bytes(16);
    $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
    $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
    return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
}

$options = getopt('', ['wsdl:', 'key:', 'certificate:', 'gateway:', 'authority:', 'purpose:', 'rule:', 'environment:'],
    $rest);
$codes = array_slice($argv, $rest);
if (count($codes) !== 1 || !isset($options['wsdl'], $options['key'], $options['certificate'], $options['gateway'])) {
    fwrite(STDERR, "php partner_php.php --wsdl=URL --key=FILE --certificate=FILE --gateway=FILE [--authority=FILE]"
        . " [--purpose=P] [--rule=R] [--environment=E] CODE\n");
    exit(2);
}
$tls = isset($options['authority']) ? ['ssl' => ['cafile' => $options['authority']]] : [];
$client = new GatewayClient($options['wsdl'], file_get_contents($options['key']),
    file_get_contents($options['certificate']), file_get_contents($options['gateway']),
    ['stream_context' => stream_context_create($tls)]);
try {
    $answer = $client->GetPerson([
        'Konteksts' => [
            'Merkis' => $options['purpose'] ?? 'social-service',
            'Tiesibas' => $options['rule'] ?? 'p8.1',
            'Darbinieks' => [
                'Identifikators' => 'PK:390000-00001', 'Iestade' => '90000000001', 'Loma' => 'social worker',
            ],
            'PieprasijumaId' => uuid(),
            'Vide' => $options['environment'] ?? 'test',
        ],
        'PersonasKods' => $codes[0],
    ]);
} catch (SoapFault $fault) {
    fwrite(STDERR, $fault->getMessage() . "\n" . ($fault->detail->Kluda->Kods ?? '') . "\n");
    exit(1);
}
echo json_encode($answer, JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), "\n";
