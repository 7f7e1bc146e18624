#!/usr/bin/env bash
# Looks at a running container from outside and from within, and exits non-zero at the first thing that it may do and should not:
#   deploy/confined.sh NAME CONTAINER        NAME is for the messages
# Not root, no capability, no way to get one, nothing to write to but its volumes and a /tmp from which nothing can be run.
# What is asked for is read from the engine; whether it holds is tried in the container, as its own user and as root there.
set -euo pipefail
name=$1 container=$2

fail() { printf 'confined: %s: %s\n' "$name" "$1" >&2; exit 1; }
asked() { docker inspect --format "{{json $1}}" "$container"; }
within() { docker exec --user "$1" "$container" sh -c "$2" 2>&1; }

# What Compose asked for
[ "$(asked .HostConfig.Privileged)" = false ] || fail "is privileged"
[ "$(asked .HostConfig.ReadonlyRootfs)" = true ] || fail "its root file system is not read-only"
[ "$(asked .HostConfig.CapDrop)" = '["ALL"]' ] || fail "capabilities are not dropped: $(asked .HostConfig.CapDrop)"
case $(asked .HostConfig.CapAdd) in null | '[]') ;; *) fail "has capabilities added: $(asked .HostConfig.CapAdd)" ;; esac
case $(asked .HostConfig.SecurityOpt) in *no-new-privileges*) ;; *) fail "may gain privileges" ;; esac

# What the process has: proc(5), /proc/pid/status
status=$(within 10001 'cat /proc/1/status') || fail "its process cannot be looked at: $status"
line() { awk -v field="$1:" '$1 == field {$1 = ""; print substr($0, 2)}' <<<"$status"; }
for field in Uid Gid; do
  [ "$(line "$field")" = "10001 10001 10001 10001" ] || fail "$field of its process: $(line "$field")"
done
for field in CapInh CapPrm CapEff CapBnd CapAmb; do
  [ "$(line "$field")" = 0000000000000000 ] || fail "$field of its process: $(line "$field")"
done
[ "$(line NoNewPrivs)" = 1 ] || fail "NoNewPrivs of its process: $(line NoNewPrivs)"

# What happens when it is tried. Root in the container owns what stands there: only the read-only mount can say no to it.
for user in 10001 0; do
  for folder in / /etc /usr/local /app; do
    said=$(within "$user" "[ ! -d $folder ] && echo none || { : > $folder/probe; } && echo written") || true
    case $said in
    none* | *"Read-only file system"*) ;; # an image that is not ours has no /app
    *) fail "user $user writing to $folder: $said" ;;
    esac
  done
done
probe=/tmp/probe.$$
said=$(within 10001 "printf '#!/bin/sh\necho ran\n' > $probe && chmod +x $probe && $probe") || true
within 10001 "rm -f $probe" >/dev/null || fail "what was written to /tmp cannot be removed"
case $said in *"ermission denied"*) ;; *) fail "running what was written to /tmp: $said" ;; esac
