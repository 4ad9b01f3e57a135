-- ARGV: owner, id, blob, metadata, bytes, chunks, expiry or 0, id to replace or '', most bytes, most snapshots,
-- profile or '', token of the profile's lease or ''. A snapshot replaces the one that its profile has; none is the state of a profile and replaces another one.
local owner, id, json, replaces, profile = ARGV[1], ARGV[2], ARGV[4], ARGV[8], ARGV[11]
local bytes, chunks, expires = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local chunks_at = blob(ARGV[3])

-- One field more than chunks: the mark.
if redis.call('HEXISTS', chunks_at, 'pending') == 0 or redis.call('HLEN', chunks_at) ~= chunks + 1 then
  return 'abandoned'
end
if ARGV[12] ~= '' and redis.call('HGET', lease(owner, profile), 'token') ~= ARGV[12] then return 'lost' end
if replaces == '' and profile ~= '' then replaces = redis.call('HGET', profiles(owner), profile) or '' end
local replaced = replaces ~= '' and find(owner, replaces) or nil
if replaces == id and not replaced then return 'missing' end
local has = redis.call('HMGET', usage(owner), 'bytes', 'count')
local bytes_after = (tonumber(has[1]) or 0) + bytes - (replaced and replaced.stored or 0)
local count_after = (tonumber(has[2]) or 0) + 1 - (replaced and 1 or 0)
if bytes_after > tonumber(ARGV[9]) then return 'bytes' end
if count_after > tonumber(ARGV[10]) then return 'count' end

if replaced then remove(owner, replaces, replaced) end
redis.call('HDEL', chunks_at, 'pending')
redis.call('PERSIST', chunks_at)
redis.call('HSET', snapshots(owner), id, json)
redis.call('ZADD', order(owner), 0, id)
if profile ~= '' then redis.call('HSET', profiles(owner), profile, id) end
if expires > 0 then redis.call('ZADD', expiry(), ARGV[7], owner .. '/' .. id) end
redis.call('HSET', usage(owner), 'bytes', string.format('%.0f', bytes_after), 'count', string.format('%.0f', count_after))
redis.call('SADD', KEYS[1] .. 'owners', owner)
return 'done'
