-- KEYS[1] of most scripts is what all keys begin with. Scripts look first and write after: what fails has changed nothing.
local function snapshots(owner) return KEYS[1] .. 'snapshots:' .. owner end
local function order(owner) return KEYS[1] .. 'order:' .. owner end
local function usage(owner) return KEYS[1] .. 'usage:' .. owner end
local function blob(id) return KEYS[1] .. 'blob:' .. id end
local function expiry() return KEYS[1] .. 'expiry' end

-- The metadata of a snapshot, or nil.
local function find(owner, id)
  local json = redis.call('HGET', snapshots(owner), id)
  return json and cjson.decode(json) or nil
end

-- Deletes a snapshot whose metadata is `meta`.
local function remove(owner, id, meta)
  redis.call('HDEL', snapshots(owner), id)
  redis.call('ZREM', order(owner), id)
  redis.call('ZREM', expiry(), owner .. '/' .. id)
  redis.call('HINCRBY', usage(owner), 'bytes', string.format('-%.0f', meta.stored))
  redis.call('HINCRBY', usage(owner), 'count', -1)
  redis.call('UNLINK', blob(meta.blob))
end

