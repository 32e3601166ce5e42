#!/bin/sh
# Fetch the contract over TLS, generate its C code, and compile partner_gsoap.c with the wsse plugin.
#
#     ./build_gsoap.sh https://gateway.example/soap/persons/v1-0 me.pem me.key authority.pem build
#
# Debian: gsoap libgsoap-dev libssl-dev gcc curl pkg-config. wsdl2h can show no client certificate, so curl fetches.
set -eu
[ $# = 5 ] || { echo "build_gsoap.sh ADDRESS TLS-CERTIFICATE TLS-KEY AUTHORITY FOLDER" >&2; exit 2; }
address=$1 certificate=$2 key=$3 authority=$4 folder=$5
here=$(cd "$(dirname "$0")" && pwd)
gsoap=${GSOAP:-/usr/share/gsoap}

mkdir -p "$folder"
fetch() { curl --silent --show-error --fail --cacert "$authority" --cert "$certificate" --key "$key" "$1" -o "$2"; }
fetch "$address?wsdl" "$folder/served.wsdl"
fetch "$address?xsd=persons" "$folder/persons.xsd"
fetch "$address?xsd=fault" "$folder/fault.xsd"
cd "$folder"
# Next to each other on this disk instead of at the gateway's address.
sed 's|schemaLocation="[^"]*?xsd=\([a-z]*\)"|schemaLocation="\1.xsd"|' served.wsdl > persons.wsdl
for schema in persons fault; do
    sed -i 's|schemaLocation="[^"]*?xsd=\([a-z]*\)"|schemaLocation="\1.xsd"|' "$schema.xsd"
done

# Prefixes of our own choice, in C, in one service for both SOAP versions.
cat > typemap.dat <<'TYPEMAP'
p = "urn:spolis:gateway:persons:v1-0"
f = "urn:spolis:gateway:fault:v1-0"
TYPEMAP
wsdl2h -c -t typemap.dat -o persons.h persons.wsdl
# The Security header, and the addressing headers that are signed with it.
printf '#import "wsse.h"\n#import "wsa5.h"\n' >> persons.h
soapcpp2 -c -C -L -x -w -I "$gsoap/import" persons.h

flags="$(pkg-config --cflags gsoapssl) -I. -I$gsoap/plugin -I$gsoap"
cc -O0 -Wno-deprecated-declarations $flags -o partner_gsoap "$here/partner_gsoap.c" soapC.c soapClient.c \
    "$gsoap/plugin/wsseapi.c" "$gsoap/plugin/smdevp.c" "$gsoap/plugin/mecevp.c" "$gsoap/plugin/threads.c" \
    "$gsoap/plugin/wsaapi.c" "$gsoap/custom/struct_timeval.c" \
    -lgsoapssl -lssl -lcrypto -lz
