#!/usr/bin/env bash
# The Compose stack for real: built, brought up, healthy, one swipe from outside approved and its slip printed, taken down with its data.
# Exits non-zero at the first thing that is not so. It has a project name, ports and data of its own: a stack that runs already is left alone.
# Jaeger is not started: nothing may need it.
set -euo pipefail
cd "$(dirname "$0")/.."

lianji=${LIANJI:-.venv/bin/lianji}
patience_s=${LIANJI_SMOKE_PATIENCE_S:-120}
long_running=(nats auth auth-standby issuer-sim terminal-gw receipts settlement)

export COMPOSE_FILE=deploy/compose.yaml
export COMPOSE_PROJECT_NAME=lianji-smoke
export LIANJI_WORLD=test # the auditor's key, to ask for the slip
export LIANJI_GATEWAY_ADDRESS=${LIANJI_GATEWAY_ADDRESS:-127.0.0.1:28583}
export LIANJI_GATEWAY_TLS_ADDRESS=${LIANJI_GATEWAY_TLS_ADDRESS:-127.0.0.1:28584}
export LIANJI_NATS_ADDRESS=${LIANJI_NATS_ADDRESS:-127.0.0.1:24222}
data=$(mktemp -d)

say() { printf 'smoke: %s\n' "$*" >&2; }

if docker compose version >/dev/null 2>&1; then
  compose() { docker compose "$@"; }
elif command -v docker-compose >/dev/null; then
  compose() { docker-compose "$@"; }
else
  say "neither docker compose nor docker-compose is here"
  exit 2
fi
[ -x "$lianji" ] || { say "$lianji is not there: run make first"; exit 2; }

finish() {
  local status=$?
  trap - EXIT
  if [ "$status" -ne 0 ]; then
    say "failed; the last lines of each service:"
    compose ps >&2 || true
    compose logs --no-color --tail 15 >&2 || true
  fi
  say "taking it down"
  if ! compose down --volumes --remove-orphans --timeout 30 >/dev/null 2>&1 && [ "$status" -eq 0 ]; then
    say "docker compose down failed"
    status=1
  fi
  rm -rf "$data"
  [ "$status" -eq 0 ] && say "all of it held"
  exit "$status"
}
trap finish EXIT

# health SERVICE: healthy, starting, unhealthy, or the container's state when it has no health
health() {
  local id
  id=$(compose ps -q "$1")
  [ -n "$id" ] || { echo missing; return; }
  docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "$id"
}

loudly_if_it_fails() { "$@" >"$data/output" 2>&1 || { cat "$data/output" >&2; exit 1; }; }

# field NAME: a field of the JSON object on stdin
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# expect WHAT WANTED GOT
expect() {
  if [ "$2" != "$3" ]; then
    say "$1: expected $2, got $3"
    exit 1
  fi
}

say "building"
loudly_if_it_fails compose build broker-volume certificates provision "${long_running[@]:1}"
say "starting"
loudly_if_it_fails compose up -d "${long_running[@]}"

say "waiting until every service says that it is ready"
give_up=$((SECONDS + patience_s))
for service in "${long_running[@]}"; do
  until [ "$(health "$service")" = healthy ]; do
    if [ "$SECONDS" -ge "$give_up" ]; then
      say "$service is $(health "$service") after $patience_s s"
      exit 1
    fi
    sleep 0.5
  done
done

pin=$("$lianji" world --json --gateway "$LIANJI_GATEWAY_ADDRESS" |
  python3 -c 'import json, sys; print(next(c["pin"] for c in json.load(sys.stdin)["cards"] if c["name"] == "debit-1"))')

say "swiping from outside"
answer=$("$lianji" swipe --gateway "$LIANJI_GATEWAY_ADDRESS" --data-dir "$data" --card debit-1 --amount 12.34 --pin "$pin" --json)
expect "response code" 00 "$(field response_code <<<"$answer")"
expect "approved" True "$(field approved <<<"$answer")"
expect "amount in minor units" 1234 "$(field amount_minor <<<"$answer")"
rrn=$(field rrn <<<"$answer")

say "swiping over mutual TLS, and without a certificate"
compose run --rm -T certificates certificate 10000002 --print >"$data/terminal.pem" 2>"$data/output" ||
  { cat "$data/output" >&2; exit 1; }
secure=(swipe --gateway "$LIANJI_GATEWAY_TLS_ADDRESS" --data-dir "$data" --terminal 10000002 --card debit-1 --amount 1.00 --pin "$pin" --json)
answer=$("$lianji" "${secure[@]}" --tls-ca "$data/terminal.pem" --tls-certificate "$data/terminal.pem")
expect "response code over mutual TLS" 00 "$(field response_code <<<"$answer")"
if answer=$("$lianji" "${secure[@]}" --tls-ca "$data/terminal.pem"); then
  say "a terminal without a certificate was not refused"
  exit 1
fi
expect "response code without a certificate" "" "$(field response_code <<<"$answer")"
if docker exec "$(compose ps -q terminal-gw)" sh -c 'ls -R /tls /data | grep ca.key'; then
  say "the gateway can see the key of the CA"
  exit 1
fi

say "asking for the slip of $rrn"
slip=$("$lianji" slip "$rrn" --nats "nats://$LIANJI_NATS_ADDRESS" --data-dir "$data")
grep -q 'RMB 12.34' <<<"$slip" || { say "the slip does not say RMB 12.34"; exit 1; }

say "without a key the broker takes nobody"
if said=$(env -u LIANJI_WORLD "$lianji" slip "$rrn" --nats "nats://$LIANJI_NATS_ADDRESS" --data-dir "$data" 2>&1); then
  say "the broker has answered somebody who has no key"
  exit 1
fi
grep -q 'asks for a key' <<<"$said" || { say "expected that the broker asks for a key: $said"; exit 1; }

say "a wrong PIN is refused"
wrong=$(tr 0123456789 1234567890 <<<"$pin") # each digit another one: a PVV knows the first four
if answer=$("$lianji" swipe --gateway "$LIANJI_GATEWAY_ADDRESS" --data-dir "$data" --card debit-1 --amount 1.00 --pin "$wrong" --json); then
  say "a wrong PIN was not refused"
  exit 1
fi
expect "response code" 55 "$(field response_code <<<"$answer")"

say "looking at what each of them may do"
for service in "${long_running[@]}"; do
  deploy/confined.sh "$service" "$(compose ps -q "$service")"
done

for service in "${long_running[@]}"; do
  expect "$service at the end" healthy "$(health "$service")"
done
