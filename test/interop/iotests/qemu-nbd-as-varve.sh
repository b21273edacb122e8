#!/bin/bash
# Stands in for qemu-nbd where QEMU's tests start a server: turns its options into those of varve serve. What makes a
# client of qemu-nbd (--list) is left to the real one. The environment names VARVE, REAL_QEMU_NBD and SERVERS, a
# directory of its own where for each address a file .server tells of the server's process and the file that a test
# finds its number in, and a file .starting that it is about to come.
set -u

real() { exec "$REAL_QEMU_NBD" "${all[@]}"; }
fail() { echo "qemu-nbd-as-varve: $1" >&2; exit 1; }

all=("$@")
socket='' address=127.0.0.1 port=10809 name='' pid_file='' image='' tls_directory='' tls_kind='' forks=false persists=false
serve=(--follow)

tls_object() {
  case $1 in
    tls-creds-*)
      tls_kind=${1#tls-creds-}
      tls_kind=${tls_kind%%,*}
      tls_directory=${1#*dir=}
      tls_directory=${tls_directory%%,*}
      case $1 in *verify-peer=on*) [ "$tls_kind" = psk ] || serve+=(--tls-verify-peer) ;; esac
      ;;
    # Who has a certificate of the right authority is let in, whatever its name is.
    authz-*) ;;
    *) fail "no object $1 here" ;;
  esac
}

short=hLVvtrnsAk:b:p:f:e:x:D:B:l:o:P:c:d
long=help,list,version,verbose,persistent,fork,read-only,nocache,snapshot,allocation-depth,socket:,bind:,port:,format:
long+=,shared:,export-name:,description:,bitmap:,load-snapshot:,offset:,object:,tls-creds:,tls-authz:,tls-hostname:,pid-file:
long+=,cache:,aio:,discard:,detect-zeroes:,image-opts,connect:,disconnect,partition:
parsed=$(getopt -o "$short" -l "$long" -n qemu-nbd -- "$@") || exit 1
eval set -- "$parsed"
while [ "$1" != -- ]; do
  case $1 in
    -h | --help | -V | --version | -L | --list | -c | --connect | -d | --disconnect) real ;;
    -v | --verbose | -n | --nocache | -A | --allocation-depth) ;;
    -t | --persistent) persists=true ;;
    --fork) forks=true ;;
    -r | --read-only) serve+=(--read-only) ;;
    -s | --snapshot) serve+=(--ephemeral) ;;
    -k | --socket) socket=$2; shift ;;
    -b | --bind) address=$2; shift ;;
    -p | --port) port=$2; shift ;;
    # Of other formats there is no name to give: they are found by what the file holds.
    -f | --format) case $2 in raw | qcow2) serve+=(--format "$2") ;; esac; shift ;;
    -x | --export-name) name=$2; shift ;;
    -l | --load-snapshot) serve+=(--internal "${2#snapshot.name=}"); shift ;;
    -o | --offset) serve+=(--filter "offset=$2"); shift ;;
    --object) tls_object "$2"; shift ;;
    --pid-file) pid_file=$2; shift ;;
    # Any number of clients is taken, every bitmap is exported, and what was given up may always be trimmed.
    -e | --shared | -B | --bitmap | -D | --description | --tls-creds | --tls-authz | --tls-hostname | --cache | --aio | --discard | --detect-zeroes) shift ;;
    *) fail "no option $1 here" ;;
  esac
  shift
done
shift
[ $# = 1 ] || fail 'one image is served'
image=$1

if [ -n "$tls_kind" ]; then
  [ "$tls_kind" = psk ] && serve+=(--tls-psk "$tls_directory/keys.psk") || serve+=(--tls-certificates "$tls_directory")
fi
if [ -n "$socket" ]; then serve+=(--socket "$socket"); else serve+=(--listen "$address:$port"); fi
note=$SERVERS/$(printf '%s' "${socket:-$port}" | md5sum | cut -c1-16)

# A test that stops a server and starts the next does not wait: the first one may still have the image. One that has
# ended runs no file any more, though it may be in the list of processes for a while.
if read -r last _ 2> /dev/null < "$note.server"; then
  for _ in {1..500}; do [ -e "/proc/$last/exe" ] || break; sleep 0.01; done
fi
[ -z "$socket" ] || rm -f "$socket"

# The export has the file's name.
if [ -n "$name" ]; then
  mkdir "$note.names.$$"
  ln -s "$(realpath "$image")" "$note.names.$$/$name"
  image=$note.names.$$/$name
fi

printed=$note.printed.$$
errors=$note.errors.$$
is_there() { [ -s "$printed" ] || ! kill -0 "$1" 2> /dev/null; }
tell_when_there() {
  until is_there "$1"; do sleep 0.02; done
  rm -f "$note.starting"
  [ -s "$printed" ] && [ -n "$pid_file" ] && echo "$1" > "$pid_file"
  "$persists" || leave_with_client "$1"
}
# Without --persistent the server takes one client, and ends when that goes.
leave_with_client() {
  until grep -q 'NBD client' "$errors"; do kill -0 "$1" 2> /dev/null || return; sleep 0.01; done
  rm -f "$socket"
  while grep -q " 03 .*$socket\$" /proc/net/unix; do sleep 0.01; done
  kill "$1"
}

"$persists" || serve+=(--verbose)
: > "$printed" > "$errors"
if "$forks"; then
  setsid "$VARVE" serve "${serve[@]}" -- "$image" > "$printed" 2> "$errors" < /dev/null &
  server=$!
  echo "$server $pid_file" > "$note.server"
  until is_there "$server"; do sleep 0.02; done
  if ! [ -s "$printed" ]; then
    # The words that the tests know a port by that is taken.
    sed 's/the port is in use/Address already in use/' "$errors" >&2
    exit 1
  fi
  [ -n "$pid_file" ] && echo "$server" > "$pid_file"
  "$persists" || leave_with_client "$server" > /dev/null 2>&1 < /dev/null &
  exit 0
fi
echo "$$ $pid_file" > "$note.server"
: > "$note.starting"
tell_when_there $$ > /dev/null 2>&1 < /dev/null &
exec "$VARVE" serve "${serve[@]}" -- "$image" > "$printed" 2> >(tee "$errors" | grep --line-buffered -v '^varve: stopped by ' >&2)
