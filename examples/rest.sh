#!/usr/bin/env bash
# Sessions over HTTP:  ./rest.sh [URL of ghostmux]
set -euo pipefail

server=${1:-http://127.0.0.1:9222}
call() { # METHOD PATH [JSON]
  echo "$1 $2"
  curl --silent --show-error --fail-with-body -X "$1" ${3:+-H 'Content-Type: application/json' -d "$3"} "$server$2"
  echo
}

# The id is optional; a chosen one must be new. Times are milliseconds.
id=example-$$-$RANDOM
call POST /v1/sessions "{\"id\":\"$id\",\"name\":\"nightly\",\"metadata\":{\"job\":\"7\"},\"keepAlive\":300000}"

# Any client can now connect to its webSocketDebuggerUrl: ws://…/devtools/browser/ID
call GET "/v1/sessions/$id"
call PATCH "/v1/sessions/$id" '{"timeout":3600000}'
call GET '/v1/sessions?state=parked&name=nightly&metadata.job=7&limit=10'
call GET "/v1/sessions/$id/pages"

# Drive its first page: no CDP client is needed.
page=/v1/sessions/$id/pages/first
call POST "$page/goto" '{"url":"data:text/html,<label>Name <input></label><button>Send</button>"}'
call POST "$page/fill" '{"locator":{"label":"name"},"value":"Ada"}'
call POST "$page/click" '{"locator":{"role":"button","name":"Send"}}'
call POST "$page/snapshot" '{}'

call GET "/v1/sessions/$id/usage"
call POST "/v1/sessions/$id/park" '{"keepAlive":600000}'
call GET /pressure
call DELETE "/v1/sessions/$id"

# Errors are application/problem+json.
curl --silent "$server/v1/sessions/$id"
echo
