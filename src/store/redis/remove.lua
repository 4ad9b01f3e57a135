-- ARGV: owner, id.
local meta = find(ARGV[1], ARGV[2])
if not meta then return 0 end
remove(ARGV[1], ARGV[2], meta)
return 1
