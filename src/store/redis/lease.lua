-- ARGV: owner, profile, what is done, token, session, milliseconds that the lease lasts. The expiry is by Redis's clock.
local at, what, token = lease(ARGV[1], ARGV[2]), ARGV[3], ARGV[4]
local has = redis.call('HGET', at, 'token')
if what == 'take' then
  if has and has ~= token then
    local holder = redis.call('HMGET', at, 'session', 'saving')
    return {'held', holder[1] or '', tonumber(holder[2]) or 0}
  end
  redis.call('HSET', at, 'token', token, 'session', ARGV[5], 'saving', 0)
elseif has ~= token then
  return {'lost', '', 0}
elseif what == 'release' then
  redis.call('DEL', at)
  return {'done', '', 0}
elseif what == 'saving' then
  redis.call('HSET', at, 'saving', 1)
end
redis.call('PEXPIRE', at, ARGV[6])
return {'done', '', 0}
