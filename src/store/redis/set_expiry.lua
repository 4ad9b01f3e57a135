-- ARGV: owner, id, the metadata as it was, the metadata as it shall be, expiry or 0.
local owner, id, expires = ARGV[1], ARGV[2], tonumber(ARGV[5])
if redis.call('HGET', snapshots(owner), id) ~= ARGV[3] then return 0 end
redis.call('HSET', snapshots(owner), id, ARGV[4])
if expires > 0 then
  redis.call('ZADD', expiry(), ARGV[5], owner .. '/' .. id)
else
  redis.call('ZREM', expiry(), owner .. '/' .. id)
end
return 1
