#!/bin/sh
# Gives a mobile node its security association by SNMPv3, and takes it away again.
#
#   snmp-association.sh add    AGENT[:PORT] HOME-ADDRESS SPI KEY-IN-HEX
#   snmp-association.sh show   AGENT[:PORT] HOME-ADDRESS SPI
#   snmp-association.sh delete AGENT[:PORT] HOME-ADDRESS SPI
#
# The user needs `access = "write"`, authentication and privacy: keys are taken
# from encrypted requests alone. Name it by environment variables, so that no
# password is in the list of processes' arguments of this script:
#   MIP4_SNMP_USER, MIP4_SNMP_AUTH (password, SHA-256), MIP4_SNMP_PRIV (password, AES-128)
#   MIP4_MIBS: the folder of the modules [default: mibs/modules]
set -eu

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 4 ] || usage
verb=$1 agent=$2 address=$3 spi=$4
: "${MIP4_SNMP_USER:?}" "${MIP4_SNMP_AUTH:?}" "${MIP4_SNMP_PRIV:?}"

# Net-SNMP's tools read the passwords from a file that only we can read.
settings=$(mktemp -d)
trap 'rm -rf "$settings"' EXIT
umask 077
cat > "$settings/snmp.conf" <<CONF
defVersion 3
defSecurityName $MIP4_SNMP_USER
defSecurityLevel authPriv
defAuthType SHA-256
defAuthPassphrase $MIP4_SNMP_AUTH
defPrivType AES
defPrivPassphrase $MIP4_SNMP_PRIV
mibdirs ${MIP4_MIBS:-mibs/modules}
mibs MIP-MIB
CONF
export SNMPCONFPATH="$settings" SNMP_PERSISTENT_DIR="$settings"

# The index: ipaddress(2), four octets, the address, the SPI.
row=2.4.$address.$spi

case $verb in
add)
    [ $# -eq 5 ] || usage
    # All at once: the association is there and active, or nothing has changed.
    # The answer comes when the home agent acts on it.
    snmpset -t 5 -r 2 "$agent" \
        "mipSecurityAlgorithmMode.$row" i hmac \
        "mipSecurityReplayMethod.$row" i timestamps \
        "mipSecurityReplayTime.$row" u 7 \
        "mipSecurityKey.$row" x "$5" \
        "mipSecurityStorageType.$row" i nonVolatile \
        "mipSecurityStatus.$row" i createAndGo
    ;;
show)
    snmpget "$agent" \
        "mipSecurityStatus.$row" "mipSecurityAlgorithmType.$row" "mipSecurityAlgorithmMode.$row" \
        "mipSecurityReplayMethod.$row" "mipSecurityReplayTime.$row" "mipSecurityStorageType.$row"
    ;;
delete)
    snmpset -t 5 -r 2 "$agent" "mipSecurityStatus.$row" i destroy
    ;;
*)
    usage
    ;;
esac
