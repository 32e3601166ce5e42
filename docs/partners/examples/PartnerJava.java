/*
 * Call the gateway's `persons` service from Java 17 with nothing but the JDK: SOAP 1.1 or 1.2, signed with SHA-256 by
 * javax.xml.crypto, the answer's signature checked.
 *
 *     java PartnerJava.java --url https://gateway.example/soap/persons/v1-0 --key me.key --certificate me.pem \
 *         --gateway gateway.pem --rule p8.1 --purpose social-service 320000-00001
 *
 * Keys are PKCS #8 in PEM, RSA or EC.
 */

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import javax.xml.crypto.MarshalException;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignatureMethod;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureException;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.xml.sax.SAXException;

public final class PartnerJava {
    static final String SERVICE = "urn:spolis:gateway:persons:v1-0";
    static final String FAULT = "urn:spolis:gateway:fault:v1-0";
    static final Map<String, String> SOAP = Map.of(
        "1.1", "http://schemas.xmlsoap.org/soap/envelope/", "1.2", "http://www.w3.org/2003/05/soap-envelope");
    static final String OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
    static final String WSSE = OASIS + "wssecurity-secext-1.0.xsd";
    static final String WSU = OASIS + "wssecurity-utility-1.0.xsd";
    static final String X509 = OASIS + "x509-token-profile-1.0#X509v3";
    static final String BASE64 = OASIS + "soap-message-security-1.0#Base64Binary";
    static final String WSA = "http://www.w3.org/2005/08/addressing";
    static final String MORE = "http://www.w3.org/2001/04/xmldsig-more#";
    static final Set<String> SIGNATURES = Set.of(MORE + "rsa-sha256", MORE + "ecdsa-sha256");
    static final int TRIES = 3;
    static final XMLSignatureFactory FACTORY = XMLSignatureFactory.getInstance("DOM");

    private PartnerJava() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>(Map.of(
            "--rule", "p8.1", "--purpose", "social-service", "--environment", "test", "--soap", "1.1"));
        List<String> codes = new ArrayList<>();
        for (int at = 0; at < arguments.length; at++) {
            if (arguments[at].startsWith("--") && at + 1 < arguments.length) {
                options.put(arguments[at], arguments[++at]);
            } else {
                codes.add(arguments[at]);
            }
        }
        if (codes.isEmpty() || !options.keySet().containsAll(
                Set.of("--url", "--key", "--certificate", "--gateway"))) {
            System.err.println("java PartnerJava.java --url URL --key FILE --certificate FILE --gateway FILE"
                + " [--authority FILE] [--tls-key FILE --tls-certificate FILE] [--soap 1.2]"
                + " [--purpose P] [--rule R] [--environment E] CODE...");
            System.exit(2);
        }
        X509Certificate certificate = certificate(options.get("--certificate"));
        PrivateKey key = key(options.get("--key"), certificate);
        X509Certificate gateway = certificate(options.get("--gateway"));
        HttpClient client = HttpClient.newBuilder()
            .sslContext(tls(options)).connectTimeout(Duration.ofSeconds(10)).build();
        boolean failed = false;
        for (String code : codes) {
            try {
                Element content = ask(client, options, code, key, certificate, gateway);
                if (isFault(content)) {
                    failed = true;
                    System.err.println(first(content, "faultcode", "Value") + ": " + first(content, "Kods") + ": "
                        + first(content, "faultstring", "Text"));
                } else {
                    show(content, "");
                }
            } catch (SecurityException | MarshalException | XMLSignatureException | SAXException refused) {
                failed = true;
                System.err.println("the answer is refused: " + refused.getMessage());
            }
        }
        System.exit(failed ? 1 : 0);
    }

    /** Send a message until it is answered: the same MessageID and Body each time, so that it has one effect. */
    static Element ask(HttpClient client, Map<String, String> options, String code, PrivateKey key,
            X509Certificate certificate, X509Certificate gateway) throws Exception {
        String messageId = "urn:uuid:" + UUID.randomUUID();
        String requestId = UUID.randomUUID().toString();
        for (int left = TRIES - 1;; left--) {
            HttpResponse<byte[]> response;
            try {
                // Signed anew each time, since the Timestamp must be fresh.
                Document request = signed(request(options, code, messageId, requestId), key, certificate);
                boolean newer = options.get("--soap").equals("1.2");
                response = client.send(
                    HttpRequest.newBuilder(URI.create(options.get("--url")))
                        .timeout(Duration.ofSeconds(60))
                        .header("Content-Type", newer
                            ? "application/soap+xml; charset=utf-8; action=\"" + SERVICE + "/GetPerson\""
                            : "text/xml; charset=utf-8")
                        .header("SOAPAction", '"' + SERVICE + "/GetPerson\"")
                        .POST(HttpRequest.BodyPublishers.ofByteArray(written(request)))
                        .build(),
                    HttpResponse.BodyHandlers.ofByteArray());
            } catch (IOException none) {
                // Whether the gateway did it is not known: only the same message may be sent.
                if (left == 0) {
                    throw none;
                }
                continue;
            }
            boolean xml = response.headers().firstValue("Content-Type").orElse("").contains("xml");
            if (!xml && left > 0) {
                continue; // a proxy's own words
            }
            Element content = verified(response.body(), gateway, messageId);
            if (!isFault(content) || !first(content, "AtkartotVar").equals("true") || left == 0) {
                return content;
            }
        }
    }

    static Document request(Map<String, String> options, String code, String messageId, String requestId)
            throws Exception {
        String soap = SOAP.get(options.get("--soap"));
        Document document = builder().newDocumentBuilder().newDocument();
        Element envelope = document.createElementNS(soap, "soap:Envelope");
        document.appendChild(envelope);
        Element header = add(envelope, soap, "soap:Header", null);
        add(header, WSA, "wsa:Action", SERVICE + "/GetPerson");
        add(header, WSA, "wsa:MessageID", messageId);
        Element operation = add(add(envelope, soap, "soap:Body", null), SERVICE, "p:GetPerson", null);
        Element context = add(operation, SERVICE, "p:Konteksts", null);
        add(context, SERVICE, "p:Merkis", options.get("--purpose"));
        add(context, SERVICE, "p:Tiesibas", options.get("--rule"));
        Element official = add(context, SERVICE, "p:Darbinieks", null);
        add(official, SERVICE, "p:Identifikators", "PK:390000-00001");
        add(official, SERVICE, "p:Iestade", "90000000001");
        add(official, SERVICE, "p:Loma", "social worker");
        add(context, SERVICE, "p:PieprasijumaId", requestId);
        add(context, SERVICE, "p:Vide", options.get("--environment"));
        add(operation, SERVICE, "p:PersonasKods", code);
        return document;
    }

    /** With the Security header: Timestamp, token, a signature over Timestamp, Body and every addressing header. */
    static Document signed(Document plain, PrivateKey key, X509Certificate certificate) throws Exception {
        String soap = plain.getDocumentElement().getNamespaceURI();
        Element security = add(only(plain.getDocumentElement(), soap, "Header"), WSSE, "wsse:Security", null);
        security.setAttributeNS(soap, "soap:mustUnderstand", "1");
        Element timestamp = add(security, WSU, "wsu:Timestamp", null);
        Instant now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
        add(timestamp, WSU, "wsu:Created", now.toString());
        add(timestamp, WSU, "wsu:Expires", now.plusSeconds(300).toString());
        Element token = add(security, WSSE, "wsse:BinarySecurityToken",
            Base64.getEncoder().encodeToString(certificate.getEncoded()));
        token.setAttribute("ValueType", X509);
        token.setAttribute("EncodingType", BASE64);
        token.setAttributeNS(WSU, "wsu:Id", "token");

        // Written and read once: the canonical form is made of declarations, and a tree built by hand has none.
        Document document = parsed(written(plain));
        Element header = only(document.getDocumentElement(), soap, "Header");
        security = only(header, WSSE, "Security");
        List<Element> parts = new ArrayList<>(children(header, WSA, null));
        parts.add(only(document.getDocumentElement(), soap, "Body"));
        parts.add(only(security, WSU, "Timestamp"));
        DOMSignContext place = new DOMSignContext(key, security);
        place.setDefaultNamespacePrefix("ds");
        List<Reference> references = new ArrayList<>();
        for (Element element : parts) {
            String id = "signed-" + references.size();
            element.setAttributeNS("http://www.w3.org/2000/xmlns/", "xmlns:wsu", WSU);
            element.setAttributeNS(WSU, "wsu:Id", id);
            place.setIdAttributeNS(element, WSU, "Id");
            references.add(FACTORY.newReference("#" + id,
                FACTORY.newDigestMethod(DigestMethod.SHA256, null),
                List.of(FACTORY.newTransform(CanonicalizationMethod.EXCLUSIVE, (TransformParameterSpec) null)),
                null, null));
        }
        Element named = document.createElementNS(WSSE, "wsse:SecurityTokenReference");
        Element reference = add(named, WSSE, "wsse:Reference", null);
        reference.setAttribute("URI", "#token");
        reference.setAttribute("ValueType", X509);
        String method = MORE + (key.getAlgorithm().equals("EC") ? "ecdsa-sha256" : "rsa-sha256");
        FACTORY.newXMLSignature(
            FACTORY.newSignedInfo(
                FACTORY.newCanonicalizationMethod(CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
                FACTORY.newSignatureMethod(method, null),
                references),
            FACTORY.getKeyInfoFactory().newKeyInfo(List.of(new DOMStructure(named)))
        ).sign(place);
        return document;
    }

    /** The content of the Body of an answer that the gateway signed, freshly, and to this message. */
    static Element verified(byte[] answer, X509Certificate gateway, String messageId) throws Exception {
        Document document = parsed(answer);
        Element envelope = document.getDocumentElement();
        String soap = envelope.getNamespaceURI();
        Element header = only(envelope, soap, "Header");
        Element body = only(envelope, soap, "Body");
        Element security = only(header, WSSE, "Security");
        Element timestamp = only(security, WSU, "Timestamp");
        DOMValidateContext place = new DOMValidateContext(
            gateway.getPublicKey(), only(security, XMLSignature.XMLNS, "Signature"));
        place.setProperty("org.jcp.xml.dsig.secureValidation", true);
        // Only these places can be named by a reference: what stands elsewhere under the same Id is never found.
        Map<String, Element> inPlace = new HashMap<>();
        List<Element> expected = new ArrayList<>(List.of(body, timestamp));
        expected.addAll(children(header, WSA, null));
        for (Element element : expected) {
            String id = element.getAttributeNS(WSU, "Id");
            if (id.isEmpty() || inPlace.put(id, element) != null) {
                throw new SecurityException("the answer's " + element.getLocalName() + " is not signed");
            }
            place.setIdAttributeNS(element, WSU, "Id");
        }
        XMLSignature signature = FACTORY.unmarshalXMLSignature(place);
        if (!SIGNATURES.contains(signature.getSignedInfo().getSignatureMethod().getAlgorithm())) {
            throw new SecurityException("the answer is signed with another algorithm");
        }
        Set<String> covered = new HashSet<>();
        for (Object one : signature.getSignedInfo().getReferences()) {
            Reference reference = (Reference) one;
            for (Object transform : reference.getTransforms()) {
                if (!CanonicalizationMethod.EXCLUSIVE.equals(((Transform) transform).getAlgorithm())) {
                    throw new SecurityException("a transform that is not exclusive canonicalisation");
                }
            }
            if (!DigestMethod.SHA256.equals(reference.getDigestMethod().getAlgorithm())) {
                throw new SecurityException("the answer is digested with another algorithm");
            }
            covered.add(String.valueOf(reference.getURI()).replaceFirst("^#", ""));
        }
        if (!covered.equals(inPlace.keySet())) {
            throw new SecurityException("not every part of the answer is signed");
        }
        if (!signature.validate(place)) {
            throw new SecurityException("the signature of the answer does not hold");
        }
        Instant created = Instant.parse(only(timestamp, WSU, "Created").getTextContent());
        if (Duration.between(created, Instant.now()).abs().compareTo(Duration.ofMinutes(5)) > 0) {
            throw new SecurityException("the answer is not fresh");
        }
        Element content = only(body, null, null);
        // A Fault says to what it relates when the gateway got as far as believing the request.
        List<Element> related = children(header, WSA, "RelatesTo");
        if (related.isEmpty() ? !isFault(content) : !related.get(0).getTextContent().equals(messageId)) {
            throw new SecurityException("the answer is to another message");
        }
        return content;
    }

    static boolean isFault(Element content) {
        return content.getLocalName().equals("Fault") && SOAP.containsValue(content.getNamespaceURI());
    }

    /** The text of the first element below that has one of these names; empty where there is none. */
    static String first(Element parent, String... names) {
        for (String name : names) {
            Node found = parent.getElementsByTagNameNS("*", name).item(0);
            if (found != null) {
                return found.getTextContent();
            }
        }
        return "";
    }

    static DocumentBuilderFactory builder() throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory;
    }

    static Document parsed(byte[] bytes) throws Exception {
        return builder().newDocumentBuilder().parse(new ByteArrayInputStream(bytes));
    }

    static byte[] written(Document document) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        // Nothing may be indented or trimmed once it is signed.
        TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(bytes));
        return bytes.toByteArray();
    }

    static Element add(Element parent, String space, String name, String text) {
        Element element = parent.getOwnerDocument().createElementNS(space, name);
        if (text != null) {
            element.setTextContent(text);
        }
        parent.appendChild(element);
        return element;
    }

    static List<Element> children(Element parent, String space, String name) {
        List<Element> found = new ArrayList<>();
        for (Node node = parent.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element element
                    && (space == null || space.equals(element.getNamespaceURI()))
                    && (name == null || name.equals(element.getLocalName()))) {
                found.add(element);
            }
        }
        return found;
    }

    static Element only(Element parent, String space, String name) {
        List<Element> found = children(parent, space, name);
        if (found.size() != 1) {
            throw new SecurityException(
                "the answer has " + found.size() + " " + (name == null ? "elements" : name) + ", not one");
        }
        return found.get(0);
    }

    static void show(Element element, String margin) {
        List<Element> inner = children(element, null, null);
        System.out.println(margin + element.getLocalName() + (inner.isEmpty() ? ": " + element.getTextContent() : ""));
        inner.forEach(child -> show(child, margin + "  "));
    }

    static X509Certificate certificate(String file) throws Exception {
        try (var stream = Files.newInputStream(Path.of(file))) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(stream);
        }
    }

    static PrivateKey key(String file, X509Certificate certificate) throws Exception {
        String pem = Files.readString(Path.of(file));
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----(BEGIN|END) PRIVATE KEY-----", ""));
        return KeyFactory.getInstance(certificate.getPublicKey().getAlgorithm())
            .generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    /** TLS with an authority of one's own and a client certificate, from PEM: the JDK's stores are filled in memory. */
    static SSLContext tls(Map<String, String> options) throws Exception {
        KeyManagerFactory mine = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        KeyStore keys = emptyStore();
        if (options.containsKey("--tls-key")) {
            X509Certificate certificate = certificate(options.get("--tls-certificate"));
            keys.setKeyEntry("me", key(options.get("--tls-key"), certificate), new char[0],
                new X509Certificate[] {certificate});
        }
        mine.init(keys, new char[0]);
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        KeyStore authorities = null; // the JDK's own list
        if (options.containsKey("--authority")) {
            authorities = emptyStore();
            authorities.setCertificateEntry("authority", certificate(options.get("--authority")));
        }
        trusted.init(authorities);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(mine.getKeyManagers(), trusted.getTrustManagers(), null);
        return context;
    }

    static KeyStore emptyStore() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }
}
