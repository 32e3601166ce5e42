/*
 * Call the gateway's `persons` service from gSOAP with its wsse plugin: signed with SHA-256, the answer's signature
 * checked before anything of it is believed. Compiled by build_gsoap.sh.
 *
 *     ./partner_gsoap --url https://gateway.example/soap/persons/v1-0 --key me.key --certificate me.pem \
 *         --gateway gateway.pem --rule p8.1 --purpose social-service 320000-00001
 *
 * For RSA keys: gSOAP writes and reads ECDSA values in DER, while XML Signature has the two numbers side by side.
 */

#include <getopt.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <signal.h>

#include "soapH.h"
#include "PersonsSoap11Binding.nsmap"
#include "wsseapi.h"

#define OASIS "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-"
#define ACTION "urn:spolis:gateway:persons:v1-0/GetPerson"

static const char *WSSE = OASIS "secext-1.0.xsd";
static const char *WSU = OASIS "utility-1.0.xsd";
static const char *DS = "http://www.w3.org/2000/09/xmldsig#";
static const char *WSA = "http://www.w3.org/2005/08/addressing";
static const char *EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
static const char *SHA256_URI = "http://www.w3.org/2001/04/xmlenc#sha256";
static const char *SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/";
static const char *SOAP12 = "http://www.w3.org/2003/05/soap-envelope";

enum { TRIES = 3, FRESH_SECONDS = 300, NOT_ANSWERED = -1, REFUSED = 3 };

typedef struct soap_dom_element Node;

struct options {
    const char *url, *key, *certificate, *gateway, *authority, *tls_key, *tls_certificate, *soap, *purpose, *rule,
        *environment;
};

struct identity {
    EVP_PKEY *key;
    X509 *certificate, *gateway;
};

static void die(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(2);
}

static X509 *read_certificate(const char *path) {
    FILE *file = fopen(path, "r");
    X509 *certificate = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    if (!certificate)
        die("no certificate in PEM");
    fclose(file);
    return certificate;
}

static EVP_PKEY *read_key(const char *path) {
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    if (!key || EVP_PKEY_base_id(key) != EVP_PKEY_RSA)
        die("no RSA key in PEM");
    fclose(file);
    return key;
}

static void new_uuid(char text[37]) {
    unsigned char b[16];
    if (RAND_bytes(b, sizeof b) != 1)
        die("no random numbers");
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static const char *local(const char *name) {
    const char *colon = name ? strchr(name, ':') : NULL;
    return colon ? colon + 1 : name ? name : "";
}

static int is(const Node *node, const char *space, const char *name) {
    return node->nstr && !strcmp(node->nstr, space) && (!name || !strcmp(local(node->name), name));
}

/* The one child of its name; NULL where there is none or there are two. */
static Node *only(Node *parent, const char *space, const char *name) {
    Node *found = NULL;
    if (parent)
        for (Node *child = parent->elts; child; child = child->next)
            if (is(child, space, name)) {
                if (found)
                    return NULL;
                found = child;
            }
    return found;
}

static size_t count(Node *document, const char *space, const char *name) {
    size_t found = 0;
    for (Node *node = document; node; node = soap_dom_next_element(node, NULL))
        found += is(node, space, name);
    return found;
}

/* Whether the part has a wsu:Id that nothing else in the document has, and the signature refers to it. */
static int is_signed(Node *document, const Node *part, const struct ds__SignedInfoType *info) {
    const char *id = NULL;
    size_t same = 0, references = 0;
    for (const struct soap_dom_attribute *att = part->atts; att; att = att->next)
        if (att->nstr && !strcmp(att->nstr, WSU) && !strcmp(local(att->name), "Id"))
            id = att->text;
    if (!id)
        return 0;
    for (Node *node = document; node; node = soap_dom_next_element(node, NULL))
        for (const struct soap_dom_attribute *att = node->atts; att; att = att->next)
            same += !strcasecmp(local(att->name), "id") && att->text && !strcmp(att->text, id);
    for (int at = 0; at < info->__sizeReference; at++) {
        const char *uri = info->Reference[at]->URI;
        references += uri && uri[0] == '#' && !strcmp(uri + 1, id);
    }
    return same == 1 && references == 1;
}

/* Why the answer cannot be believed; NULL where the gateway signed what gSOAP has read, now, and to this message. */
static const char *refused(struct soap *soap, const struct identity *me, const char *message_id, int fault) {
    Node *envelope = soap->dom;
    if (!envelope || !soap->header || !soap->header->wsse__Security || !soap->header->wsse__Security->ds__Signature)
        return "the answer is not signed";
    const char *space = is(envelope, SOAP11, "Envelope") ? SOAP11 : SOAP12;
    Node *body = only(envelope, space, "Body");
    Node *header = only(envelope, space, "Header");
    Node *security = only(header, WSSE, "Security");
    Node *timestamp = only(security, WSU, "Timestamp");
    if (!is(envelope, space, "Envelope") || !body || !timestamp)
        return "the answer has not one Body, Security and Timestamp";
    /* The plugin checks the first SignedInfo of the tree and takes the digests from the one in Security. */
    if (!only(only(security, DS, "Signature"), DS, "SignedInfo") || count(envelope, DS, "Signature") != 1
        || count(envelope, DS, "SignedInfo") != 1)
        return "the answer has not one Signature";

    const struct ds__SignedInfoType *info = soap->header->wsse__Security->ds__Signature->SignedInfo;
    int method, bits;
    if (soap_wsse_get_SignedInfo_SignatureMethod(soap, &method, &bits) || method != SOAP_SMD_VRFY_RSA_SHA256)
        return "the answer is signed with another algorithm";
    /* The plugin takes SHA-1 too and passes over transforms that it does not know. */
    for (int at = 0; at < info->__sizeReference; at++) {
        const struct ds__ReferenceType *one = info->Reference[at];
        if (!one->DigestMethod || !one->DigestMethod->Algorithm || strcmp(one->DigestMethod->Algorithm, SHA256_URI)
            || !one->Transforms || one->Transforms->__sizeTransform != 1 || !one->Transforms->Transform[0].Algorithm
            || strcmp(one->Transforms->Transform[0].Algorithm, EXCLUSIVE))
            return "the answer is digested in another way";
    }
    if (!is_signed(envelope, body, info) || !is_signed(envelope, timestamp, info))
        return "Body or Timestamp of the answer is not signed";
    for (Node *child = header->elts; child; child = child->next)
        if (is(child, WSA, NULL) && !is_signed(envelope, child, info))
            return "an addressing header of the answer is not signed";
    /* The plugin believes whichever certificate the message brings. */
    X509 *signer = soap_wsse_get_KeyInfo_SecurityTokenReferenceX509(soap);
    int known = signer && X509_cmp(signer, me->gateway) == 0;
    X509_free(signer);
    if (!known)
        return "the answer is signed by somebody else";
    if (soap_wsse_verify_Signature(soap))
        return "the signature of the answer does not hold";

    time_t created = 0;
    const struct _wsu__Timestamp *stamp = soap->header->wsse__Security->wsu__Timestamp;
    if (!stamp || !stamp->Created || soap_s2dateTime(soap, stamp->Created, &created)
        || llabs((long long)time(NULL) - created) > FRESH_SECONDS)
        return "the answer is not fresh";
    /* A Fault says to what it relates when the gateway got as far as believing the request. */
    const struct wsa5__RelatesToType *related = soap->header->wsa5__RelatesTo;
    if ((!related && !fault) || (related && (!related->__item || strcmp(related->__item, message_id))))
        return "the answer is to another message";
    return NULL;
}

static const struct f__KludaStructure *kluda(const struct soap *soap) {
    const struct SOAP_ENV__Fault *fault = soap->fault;
    const struct SOAP_ENV__Detail *detail = !fault ? NULL : fault->detail ? fault->detail : fault->SOAP_ENV__Detail;
    return detail ? detail->f__Kluda : NULL;
}

/* Send a message once: 0 answered, 1 a Fault that holds for this message, NOT_ANSWERED, REFUSED. */
static int send_once(struct soap *soap, const struct options *options, const struct identity *me,
                     struct p__GetPersonStructure *request, char *message_id) {
    struct p__GetPersonResponseStructure answer;
    soap_header(soap);
    soap_default_SOAP_ENV__Header(soap, soap->header);
    soap->header->wsa5__MessageID = message_id;
    soap->header->wsa5__Action = ACTION;
    soap_wsse_set_wsu_id(soap, "wsa5:MessageID wsa5:Action");
    if (soap_wsse_add_Timestamp(soap, "Time", FRESH_SECONDS)
        || soap_wsse_add_BinarySecurityTokenX509(soap, "Token", me->certificate)
        || soap_wsse_add_KeyInfo_SecurityTokenReferenceX509(soap, "#Token")
        || soap_wsse_sign_body(soap, SOAP_SMD_SIGN_RSA_SHA256, me->key, 0) || soap_wsse_verify_init(soap))
        die("the message cannot be signed");
    soap->dom = NULL;
    int error = soap_call___p__GetPerson(soap, options->url, ACTION, request, &answer);
    if (error && !soap->dom)
        return NOT_ANSWERED;
    int fault = error && kluda(soap);
    const char *why = error && !fault ? "the answer breaks the contract" : refused(soap, me, message_id, fault);
    if (why) {
        fprintf(stderr, "the answer is refused: %s\n", why);
        return REFUSED;
    }
    if (fault) {
        int again = kluda(soap)->AtkartotVar == xsd__boolean__true_;
        fprintf(stderr, "%s: %s: %s\n", *soap_faultcode(soap), kluda(soap)->Kods, *soap_faultstring(soap));
        return again ? NOT_ANSWERED : 1;
    }
    printf("ApmainasId: %s\n", answer.ApmainasId);
    if (answer.Persona) {
        for (int at = 0; at < answer.Persona->__sizeVards; at++)
            printf("Vards: %s\n", answer.Persona->Vards[at]);
        if (answer.Persona->Uzvards)
            printf("Uzvards: %s\n", answer.Persona->Uzvards);
        if (answer.Persona->PersonasKods)
            printf("PersonasKods: %s\n", answer.Persona->PersonasKods);
    }
    for (int at = 0; at < answer.__sizeAizturets; at++)
        printf("Aizturets: %s\n", answer.Aizturets[at]);
    return 0;
}

/* Send a message until it is answered: the same MessageID and Body each time, so that it has one effect. */
static int ask(struct soap *soap, const struct options *options, const struct identity *me, char *code) {
    char message_id[9 + 37] = "urn:uuid:", request_id[37];
    new_uuid(message_id + 9);
    new_uuid(request_id);
    struct p__DarbinieksStructure official = {"PK:390000-00001", "90000000001", "social worker"};
    struct p__KontekstsStructure context = {
        .Merkis = (char *)options->purpose, .Tiesibas = (char *)options->rule, .Darbinieks = &official,
        .PieprasijumaId = request_id,
        .Vide = !strcmp(options->environment, "production") ? p__VideType__production : p__VideType__test};
    struct p__GetPersonStructure request = {.Konteksts = &context, .PersonasKods = code};
    int result = NOT_ANSWERED;
    for (int attempt = 0; attempt < TRIES && result == NOT_ANSWERED; attempt++) {
        result = send_once(soap, options, me, &request, message_id);
        if (result == NOT_ANSWERED && attempt == TRIES - 1 && soap->error)
            soap_print_fault(soap, stderr);
        soap_wsse_verify_done(soap);
        soap_destroy(soap);
        soap_end(soap);
    }
    return result;
}

int main(int argc, char **argv) {
    struct options options = {.soap = "1.1", .purpose = "social-service", .rule = "p8.1", .environment = "test"};
    const struct {
        const char *name, **value;
    } known[] = {{"url", &options.url}, {"key", &options.key}, {"certificate", &options.certificate},
                 {"gateway", &options.gateway}, {"authority", &options.authority}, {"tls-key", &options.tls_key},
                 {"tls-certificate", &options.tls_certificate}, {"soap", &options.soap},
                 {"purpose", &options.purpose}, {"rule", &options.rule}, {"environment", &options.environment}};
    enum { KNOWN = sizeof known / sizeof known[0] };
    struct option names[KNOWN + 1] = {{0}};
    for (int at = 0; at < KNOWN; at++)
        names[at] = (struct option){known[at].name, required_argument, NULL, at};
    for (int found; (found = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (found == '?')
            return 2;
        *known[found].value = optarg;
    }
    if (optind == argc || !options.url || !options.key || !options.certificate || !options.gateway)
        die("partner_gsoap --url URL --key FILE --certificate FILE --gateway FILE [--authority FILE]"
            " [--tls-key FILE --tls-certificate FILE] [--soap 1.2] [--purpose P] [--rule R] [--environment E] CODE...");

    struct identity me = {read_key(options.key), read_certificate(options.certificate),
                          read_certificate(options.gateway)};
    /* Without canonical output the signature is over bytes that no other stack would canonicalise to. */
    struct soap *soap = soap_new1(SOAP_XML_CANONICAL | SOAP_XML_TREE | SOAP_C_UTFSTRING);
    signal(SIGPIPE, SIG_IGN);
    /* The generated table speaks SOAP 1.2 and reads both; for 1.1 its first two rows are turned round. */
    if (strcmp(options.soap, "1.2"))
        for (struct Namespace *row = namespaces; row < namespaces + 2; row++) {
            const char *newer = row->ns;
            row->ns = row->in;
            row->in = newer;
        }
    soap_register_plugin(soap, soap_wsse);
    soap->connect_timeout = 10;
    soap->send_timeout = soap->recv_timeout = 60;
    if (!strncmp(options.url, "https:", 6)) {
        soap_ssl_init();
        if (soap_ssl_client_context(soap, SOAP_SSL_DEFAULT, NULL, NULL, options.authority, NULL, NULL))
            die("no TLS with that authority");
        /* gSOAP wants key and certificate in one file; OpenSSL itself takes two. */
        if (options.tls_key
            && (SSL_CTX_use_certificate_chain_file(soap->ctx, options.tls_certificate) != 1
                || SSL_CTX_use_PrivateKey_file(soap->ctx, options.tls_key, SSL_FILETYPE_PEM) != 1))
            die("no key and certificate for TLS");
    }
    int failed = 0;
    for (int at = optind; at < argc; at++)
        failed |= ask(soap, &options, &me, argv[at]) != 0;
    soap_free(soap);
    EVP_PKEY_free(me.key);
    X509_free(me.certificate);
    X509_free(me.gateway);
    return failed;
}
