-- ARGV: now, how many at most.
local expired = redis.call('ZRANGEBYSCORE', expiry(), '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(expired) do
  local owner, id = string.match(member, '^(.*)/(.*)$')
  local meta = find(owner, id)
  if meta then remove(owner, id, meta) else redis.call('ZREM', expiry(), member) end
end
return #expired
