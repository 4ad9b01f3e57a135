-- KEYS[1] of most scripts is what all keys begin with. Scripts look first and write after: what fails has changed nothing.
local function snapshots(owner) return KEYS[1] .. 'snapshots:' .. owner end
local function order(owner) return KEYS[1] .. 'order:' .. owner end
local function profiles(owner) return KEYS[1] .. 'profiles:' .. owner end
local function lease(owner, profile) return KEYS[1] .. 'profile-lease:' .. owner .. '@' .. profile end
local function usage(owner) return KEYS[1] .. 'usage:' .. owner end
local function blob(id) return KEYS[1] .. 'blob:' .. id end
local function expiry() return KEYS[1] .. 'expiry' end

-- The metadata of a snapshot; what cannot be read of it is missing.
local function decode(json)
  local is_json, meta = pcall(cjson.decode, json)
  if not is_json or type(meta) ~= 'table' then return {} end
  if type(meta.stored) ~= 'number' or meta.stored < 0 then meta.stored = nil end
  if type(meta.blob) ~= 'string' then meta.blob = nil end
  if type(meta.profile) ~= 'string' then meta.profile = nil end
  return meta
end

-- The metadata of a snapshot, or nil if there is none.
local function find(owner, id)
  local json = redis.call('HGET', snapshots(owner), id)
  return json and decode(json) or nil
end

-- Deletes a snapshot whose metadata is `meta`. If that does not say how much it takes, what its owner has is counted anew.
local function remove(owner, id, meta)
  redis.call('HDEL', snapshots(owner), id)
  redis.call('ZREM', order(owner), id)
  redis.call('ZREM', expiry(), owner .. '/' .. id)
  redis.call('HINCRBY', usage(owner), 'count', -1)
  if meta.blob then redis.call('UNLINK', blob(meta.blob)) end
  if meta.profile and redis.call('HGET', profiles(owner), meta.profile) == id then
    redis.call('HDEL', profiles(owner), meta.profile)
  end
  if meta.stored then
    redis.call('HINCRBY', usage(owner), 'bytes', string.format('-%.0f', meta.stored))
  else
    local bytes = 0
    for _, other in ipairs(redis.call('HVALS', snapshots(owner))) do bytes = bytes + (decode(other).stored or 0) end
    redis.call('HSET', usage(owner), 'bytes', string.format('%.0f', bytes))
  end
end

