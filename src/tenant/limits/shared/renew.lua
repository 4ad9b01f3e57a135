-- Renews the leases of sessions of a tenant. KEYS: state, ids of its sessions. ARGV: gap, lease, ids.
local lease = tonumber(ARGV[2])
for at = 3, #ARGV do
  redis.call('ZADD', KEYS[2], now + lease, ARGV[at])
end
redis.call('PEXPIRE', KEYS[2], lease * 2)
