#!/usr/bin/env bash
# Builds the image without a container engine and tries it: alone, and with Kafka and VictoriaMetrics over TLS.
#
# The base images are made here, of Debian's packages and this machine's Rust, and bear their public names. The crates are
# fetched by this machine's cargo, with whatever configuration it has: the build itself asks nothing of the network.
set -euo pipefail
cd "$(dirname "$0")/.."

# The base has 77, the program 26. Whoever makes it larger is to notice.
largest_megabytes=120

say() { echo "image-test: $*" >&2; }
fail() {
    say "FAILED: $*"
    exit 1
}

[ "$(id -u)" = 0 ] || fail "must be run as root, for it mounts file systems and changes users"

missing=()
for program in buildah debootstrap openssl; do
    command -v "$program" >/dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

# From here on in a mount namespace of its own: what is mounted goes with its last process.
if [ "${1-}" != --unshared ]; then
    exec unshare --mount testkit/image-test.sh --unshared
fi

work=$(mktemp --directory --tmpdir image-test-XXXXXXXX)
processes=()
clean() {
    local status=$? log place
    trap - EXIT
    if [ "$status" != 0 ]; then
        for log in "$work"/*.log; do
            [ ! -s "$log" ] || { say "${log##*/} ends:" && tail -n 10 "$log" >&2; }
        done
    fi
    { [ ${#processes[@]} = 0 ] || kill -KILL "${processes[@]}" && wait; } 2>/dev/null || true
    # If debootstrap was interrupted, /proc is mounted in there, and more.
    while read -r _ place _; do
        [[ $place != "$work"/* ]] || umount --lazy "$place" || status=1
    done </proc/self/mounts
    rm -rf --one-file-system "$work" || status=1
    exit "$status"
}
trap clean EXIT
trap 'say "FAILED in line $LINENO"' ERR
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# eventually SECONDS COMMAND...: until the command succeeds.
eventually() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for: $*"
        sleep 0.2
    done
}

# Sets $port to one that nobody listens on and that was not given before, below those that the kernel hands out for outgoing
# connections.
given=
free_port() {
    while
        port=$((RANDOM % 12000 + 20000))
        [[ $given == *" $port "* ]] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
    do :; done
    given+=" $port "
}

# --- The base images ---

# Each layer a whole copy: large, but it works everywhere, in a container too. buildah's cache of names knows no setting.
mkdir -p "$work"/{cache,tmp} /var/lib/containers
mount --bind "$work/cache" /var/lib/containers
cat >"$work/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$work/storage"
runroot = "$work/run"
EOF
export CONTAINERS_STORAGE_CONF=$work/storage.conf BUILDAH_ISOLATION=chroot TMPDIR=$work/tmp

mapfile -t bases < <(sed -nE 's/^FROM ([^ ]+).*/\1/p' Dockerfile)
[ ${#bases[@]} = 2 ] || fail "the Dockerfile has other stages than this script knows"
rust=${bases[0]} debian=${bases[1]}
suite=${debian#*:} suite=${suite%-slim}

# This machine's mirror and proxy, if it has them; else debootstrap knows one.
# shellcheck disable=SC2016 # apt's variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $suite" 'Component: main' 'Created-By: Packages' | sed 1q)
proxy=
eval "$(apt-config shell proxy Acquire::http::Proxy)"
[ -z "$proxy" ] || export http_proxy=$proxy

# A Debian with these packages, and as in the official images no lists, archives, documentation and translations.
root_of() { # DIRECTORY [PACKAGE,...]
    debootstrap --variant=minbase --cache-dir="$work/packages" ${2:+"--include=$2"} "$suite" "$1" ${mirror:+"$mirror"} \
        >"$1.log" || fail "debootstrap"
    rm -rf "$1"/var/{cache/apt,lib/apt/lists}/* "$1"/usr/share/{doc,info,lintian,locale,man}/* "$1"/etc/{hostname,resolv.conf}
}
mkdir "$work/packages"
say "making $debian"
root_of "$work/debian"
container=$(buildah from scratch)
buildah add --quiet "$container" "$work/debian" / >/dev/null
buildah commit --quiet --rm "$container" "$debian" >/dev/null

# The image of Rust has more packages than these; what the build needs of them is here.
say "making $rust of $(rustc --version)"
root_of "$work/rust" ca-certificates,g++,gcc,libc6-dev,libssl-dev,make,perl,pkg-config,zlib1g-dev
toolchain=/usr/local/rustup/toolchains/host
container=$(buildah from scratch)
buildah add --quiet "$container" "$work/rust" / >/dev/null
for part in bin lib; do
    buildah add --quiet "$container" "$(rustc --print sysroot)/$part" "$toolchain/$part" >/dev/null
done
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
buildah config --env CARGO_HOME=/usr/local/cargo --env "PATH=$toolchain/bin:$path" "$container"
buildah commit --quiet --rm "$container" "$rust" >/dev/null
rm -rf "$work"/{debian,packages,rust}{,.log}

# --- The image ---

say "fetching the crates"
cargo vendor --locked --versioned-dirs --respect-source-config "$work/vendor" >"$work/vendor.toml" 2>"$work/vendor.log"
sed -i "s#$work/vendor#/vendor#" "$work/vendor.toml"
printf '\n[net]\noffline = true\n' >>"$work/vendor.toml"

say "building the image"
started=$SECONDS
nice buildah bud --pull-never --volume "$work/vendor:/vendor:ro" \
    --volume "$work/vendor.toml:/usr/local/cargo/config.toml:ro" --tag exemplar-bridge . >&2
say "built in $((SECONDS - started)) s"
rm -rf "$work"/{tmp,vendor}/* "$work/vendor.log"

inspect() { buildah inspect --type image --format "$1" exemplar-bridge; }
user=$(inspect '{{.OCIv1.Config.User}}')
workdir=$(inspect '{{.OCIv1.Config.WorkingDir}}')
# shellcheck disable=SC2016 # a variable of the template
volume=$(inspect '{{range $volume, $_ := .OCIv1.Config.Volumes}}{{$volume}}{{end}}')
mapfile -t environment < <(inspect '{{range .OCIv1.Config.Env}}{{println .}}{{end}}' | sed '/^$/d')
mapfile -t entrypoint < <(inspect '{{range .OCIv1.Config.Entrypoint}}{{println .}}{{end}}' | sed '/^$/d')
[[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || fail "its user is «$user», not a number (which Kubernetes can tell from root's)"

root=$(buildah mount "$(buildah from --pull-never exemplar-bridge)")
megabytes=$(($(du --bytes --summarize "$root" | cut -f 1) / 1000000))
say "the image has $megabytes MB, the program $(($(stat --format %s "$root/usr/local/bin/exemplar-bridge") / 1000000)) MB"
[ "$megabytes" -le "$largest_megabytes" ] || fail "it was to have no more than $largest_megabytes MB"

# What an engine would mount: a new volume is as its place in the image; what is in etc is the user's.
cp --archive "$root$volume" "$work/data"
mkdir "$work/etc"

# Runs a command in the image as its user, in its working directory and with its environment, with further variables before
# it; as process 1, in namespaces but for the network; nothing can be written but the volume. It takes the shell's place.
in_image() { # [VARIABLE=VALUE...] COMMAND...
    # shellcheck disable=SC2016 # the inner shell's
    exec unshare --mount --pid --ipc --uts --kill-child bash -euc '
        root=$1 workdir=$2 user=$3 volume=$4 work=$5
        shift 5
        mount --bind "$root" "$root"
        mount -o remount,bind,ro "$root"
        mount --bind "$work/data" "$root$volume"
        mount --bind "$work/etc" "$root/etc/exemplar-bridge"
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        [ ! -e "$work/trusted.pem" ] || mount --bind "$work/trusted.pem" "$root/etc/ssl/certs/ca-certificates.crt"
        exec unshare --root="$root" --wd="$workdir" --setgid="${user#*:}" --setuid="${user%:*}" env -i "$@"
    ' bash "$root" "$workdir" "$user" "$volume" "$work" "${environment[@]}" "$@"
}
program() { in_image "${entrypoint[@]}" "$@"; }

# expect CODE COMMAND...: runs it, keeps what it says in $said, and compares how it ends.
expect() {
    local wanted=$1 status=0
    shift
    said=$("$@" 2>&1) || status=$?
    [ "$status" = "$wanted" ] || fail "«$*» ended with $status instead of $wanted: $said"
}
says() { [[ $said == *"$1"* ]] || fail "«$1» is not in: $said"; }

# --- Alone ---

expect 0 program --version
says librdkafka
say "$said"

expect 0 program config
says '"listen": "0.0.0.0:8000"'
says '"directory": "data/dead-letter"'

expect 0 in_image id -u
[ "$said" = "${user%:*}" ] || fail "it runs as $said"
expect 0 in_image touch data/file
rm "$work/data/file"
expect 1 in_image touch /tmp/file
# Nor where the file system can be written to, but for /tmp and its like.
writable=$(find "$root" -xdev -not -type l \( -user "${user%:*}" -o -group "${user#*:}" -o -perm -o+w \) \
    -not -path "$root$volume" -not -path "$root/dev/*" -not -perm -1000)
[ -z "$writable" ] || fail "the user may write to $writable"

free_port && nobody=$port
expect 3 program check --set "kafka.brokers=127.0.0.1:$nobody" --set "remote_write.url=http://127.0.0.1:$nobody/"
says "WRONG Kafka: no answer from the brokers at 127.0.0.1:$nobody"
says "WRONG receiver default"
says "ok    directory data/dead-letter can be written"

# --- With Kafka and VictoriaMetrics, over TLS: both stacks, OpenSSL and rustls, look for authorities where the image says ---

certificate() { # NAME SUBJECT OPTION...
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$2" \
        -keyout "$work/$1.key" -out "$work/$1.pem" "${@:3}" 2>>"$work/openssl.log"
}
certificate authority "image-test's authority"
certificate server 127.0.0.1 -CA "$work/authority.pem" -CAkey "$work/authority.key" \
    -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE
cat "$work/server.key" "$work/server.pem" >"$work/keystore.pem"

free_port && kafka=$port
free_port && controller=$port
mkdir -p "$work/kafka/tmp"
cat >"$work/kafka/server.properties" <<EOF
process.roles=broker,controller
node.id=1
listeners=BROKER://127.0.0.1:$kafka,CONTROLLER://127.0.0.1:$controller
advertised.listeners=BROKER://127.0.0.1:$kafka
listener.security.protocol.map=BROKER:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$controller
ssl.keystore.type=PEM
ssl.keystore.location=$work/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location=$work/authority.pem
log.dirs=$work/kafka/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
EOF
java=(java -Xmx512m -XX:+UseSerialGC "-Djava.io.tmpdir=$work/kafka/tmp" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
    -cp "$PWD/target/kafka/libs/*")
"${java[@]}" kafka.tools.StorageTool format --config "$work/kafka/server.properties" \
    --cluster-id "$(openssl rand -hex 11)" >"$work/kafka.log" 2>&1
"${java[@]}" kafka.Kafka "$work/kafka/server.properties" >>"$work/kafka.log" 2>&1 &
processes+=($!)

free_port && receiver=$port
victoria-metrics -httpListenAddr="127.0.0.1:$receiver" -storageDataPath="$work/victoria-metrics" -retentionPeriod=100y \
    -tls -tlsCertFile="$work/server.pem" -tlsKeyFile="$work/server.key" >"$work/victoria-metrics.log" 2>&1 &
processes+=($!)

ask() { curl --silent --fail --max-time 5 --cacert "$work/authority.pem" "$@"; }
tls=(-X security.protocol=ssl -X "ssl.ca.location=$work/authority.pem")
produce() { kcat -P -b "127.0.0.1:$kafka" "${tls[@]}" -t metrics tests/data/rw1/00*.bin >/dev/null 2>&1; }
eventually 60 ask --output /dev/null "https://127.0.0.1:$receiver/health"
eventually 60 produce
# A broker makes the topic for groups' offsets when the first group asks; until it leads it, `check` is told so, and says so.
consume() { timeout 30 kcat -b "127.0.0.1:$kafka" "${tls[@]}" -X auto.offset.reset=earliest -c 1 -G first metrics >/dev/null 2>&1; }
eventually 60 consume

cat >"$work/etc/config.json" <<EOF
{
  "kafka": { "brokers": "127.0.0.1:$kafka", "properties": { "security.protocol": "ssl" } },
  "remote_write": { "url": "https://127.0.0.1:$receiver/api/v1/write" },
  "http": { "upstream": "https://127.0.0.1:$receiver" }
}
EOF
expect 3 program check
says certificate
cp "$work/authority.pem" "$work/trusted.pem"
chmod a+r "$work/trusted.pem"
expect 0 program check
say "check: $said"

# The file is in place, so nothing is set but the port: 8000 may be taken on this machine.
free_port && http=$port
in_image "EXEMPLAR_BRIDGE_HTTP__LISTEN=127.0.0.1:$http" "${entrypoint[@]}" >"$work/bridge.log" 2>&1 &
bridge=$!
processes+=("$bridge")
eventually 30 ask --output /dev/null "http://127.0.0.1:$http/-/ready"
delivered() {
    ask "http://127.0.0.1:$http/metrics" | grep -E '^exemplar_bridge_remote_storage_samples_total\{.*\} [1-9]' >/dev/null
}
eventually 30 delivered
stored() { ask "https://127.0.0.1:$receiver/api/v1/export" --data-urlencode 'match[]={__name__!=""}' | grep . >/dev/null; }
eventually 30 stored
ask --output /dev/null "http://127.0.0.1:$http/api/v1/query?query=1" || fail "VictoriaMetrics does not answer through it"

# The one process that unshare has forked.
inside=$(<"/proc/$bridge/task/$bridge/children")
inside=${inside% }
stopping=$SECONDS
kill -TERM "$inside"
ended() { ! kill -0 "$inside" 2>/dev/null; }
eventually 10 ended
status=0
wait "$bridge" || status=$?
[ "$status" = 0 ] || fail "after SIGTERM it ended with $status"
say "ran in the image, delivered, and stopped within $((SECONDS - stopping + 1)) s"
say "passed, in $SECONDS s"
