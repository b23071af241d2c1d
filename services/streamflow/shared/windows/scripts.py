"""What Redis does in one step each, in Lua: a script is done as a whole or not at all, and nothing comes between.

KEYS[1] is the prefix of all keys (`windows`); a window goes by its name and start, as in `5m:1767225600`:

    windows:5m:1767225600          hash: the fields of a Cell, revision, closed; the revision that was last taken, when
    windows:5m:1767225600:sources  sorted set: events of each source, negative, so that equal ones go by name
    windows:5m:1767225600:users    HyperLogLog
    windows:of:5m                  sorted set: the kind's windows in which something was counted, by start
    windows:open                   sorted set: windows that aren't closed, by the moment of closing
    windows:changed                sorted set: windows to publish, by the moment from which on they may be
    windows:seen:…                 an event that was counted, by the 16 bytes of its id
"""

_TELL = """
local function tell(window)
  local key = KEYS[1] .. ':' .. window
  return {window, redis.call('HGETALL', key), redis.call('ZRANGE', key .. ':sources', 0, tonumber(ARGV[1]) - 1,
    'WITHSCORES'), redis.call('PFCOUNT', key .. ':users')}
end
"""

# A window that was lost with Redis' memory and begins anew has greater revisions than it had: it changes less often
# than a thousand times a second.
_FIRST = """
local function first(now) return string.format('%.0f', now * 1000) end
"""

# Times are in seconds. ARGV: now, seconds to remember ids, gap, most sources, the ids, the cells as JSON: each with
# window, kind, start, closes (at), expires (at), oldest (start that is still kept), counts, sources, users.
# Gives the numbers of the ids that were counted before; none means that all is counted.
ADD = f"""{_FIRST}
local prefix, now = KEYS[1], tonumber(ARGV[1])
local marks, seen = {{}}, {{}}
for at = 1, #ARGV[5], 16 do
  marks[#marks + 1] = prefix .. ':seen:' .. string.sub(ARGV[5], at, at + 15)
end
if #marks > 0 and redis.call('EXISTS', unpack(marks)) > 0 then
  for number, mark in ipairs(marks) do
    if redis.call('EXISTS', mark) == 1 then seen[#seen + 1] = number - 1 end
  end
  return seen
end
for _, mark in ipairs(marks) do redis.call('SET', mark, '1', 'EX', ARGV[2]) end
for _, cell in ipairs(cjson.decode(ARGV[6])) do
  local key = prefix .. ':' .. cell.window
  local sources, users = key .. ':sources', key .. ':users'
  if redis.call('HSETNX', key, 'revision', first(now)) == 1 then
    redis.call('ZADD', prefix .. ':open', cell.closes, cell.window)
  end
  for field, events in pairs(cell.counts) do redis.call('HINCRBY', key, field, events) end
  redis.call('HINCRBY', key, 'revision', 1)
  local index = prefix .. ':of:' .. cell.kind
  if redis.call('ZADD', index, cell.start, cell.window) == 1 then
    redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. string.format('%.0f', cell.oldest))
  end
  local room = tonumber(ARGV[4]) - redis.call('ZCARD', sources)
  for source, events in pairs(cell.sources) do
    if room > 0 or redis.call('ZSCORE', sources, source) then
      if tonumber(redis.call('ZINCRBY', sources, -events, source)) == -events then room = room - 1 end
    end
  end
  if #cell.users > 0 then redis.call('PFADD', users, unpack(cell.users)) end
  for _, each in ipairs({{key, sources, users}}) do redis.call('EXPIREAT', each, cell.expires) end
  local free = tonumber(redis.call('HGET', key, 'published') or '0') + tonumber(ARGV[3])
  redis.call('ZADD', prefix .. ':changed', 'NX', math.max(now, free), cell.window)
end
return seen
"""

# ARGV: most sources of a snapshot, now, seconds of the lease, most windows, then of each window that runs now its name,
# when it closes and when it expires. Begins, closes and gives windows.
DUE = f"""{_TELL}{_FIRST}
local open, changed, now, most = KEYS[1] .. ':open', KEYS[1] .. ':changed', tonumber(ARGV[2]), ARGV[4]
for at = 5, #ARGV, 3 do
  local key = KEYS[1] .. ':' .. ARGV[at]
  if redis.call('HSETNX', key, 'revision', first(now)) == 1 then
    redis.call('ZADD', open, ARGV[at + 1], ARGV[at])
    redis.call('EXPIREAT', key, ARGV[at + 2])
  end
end
for _, window in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', now, 'LIMIT', 0, most)) do
  local key = KEYS[1] .. ':' .. window
  redis.call('ZREM', open, window)
  if redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'closed', 1)
    redis.call('HINCRBY', key, 'revision', 1)
    redis.call('ZADD', changed, 'NX', now, window)
  end
end
local told = {{}}
for _, window in ipairs(redis.call('ZRANGEBYSCORE', changed, '-inf', now, 'LIMIT', 0, most)) do
  local key = KEYS[1] .. ':' .. window
  if redis.call('EXISTS', key) == 1 then
    redis.call('ZADD', changed, now + tonumber(ARGV[3]), window)
    redis.call('HSET', key, 'published', ARGV[2], 'taken', redis.call('HGET', key, 'revision'))
    told[#told + 1] = tell(window)
  else
    redis.call('ZREM', changed, window)
  end
end
return told
"""

# ARGV: now, gap, then window and revision of each that is published. Who was too slow, so that another one has taken
# a later revision, changes nothing.
PUBLISHED = """
local changed = KEYS[1] .. ':changed'
for at = 3, #ARGV, 2 do
  local window = ARGV[at]
  local kept = redis.call('HMGET', KEYS[1] .. ':' .. window, 'revision', 'taken', 'published')
  if kept[1] == ARGV[at + 1] then
    redis.call('ZREM', changed, window)
  elseif kept[2] == ARGV[at + 1] then
    redis.call('ZADD', changed, 'XX', math.max(tonumber(ARGV[1]), tonumber(kept[3]) + tonumber(ARGV[2])), window)
  end
end
"""

# ARGV: most sources of a snapshot, then windows.
READ = f"""{_TELL}
local told = {{}}
for at = 2, #ARGV do told[at - 1] = tell(ARGV[at]) end
return told
"""

# ARGV: most sources, a kind of windows, how many.
LATEST = f"""{_TELL}
local told = {{}}
for _, window in ipairs(redis.call('ZREVRANGE', KEYS[1] .. ':of:' .. ARGV[2], 0, -1)) do
  if #told == tonumber(ARGV[3]) then break end
  if redis.call('EXISTS', KEYS[1] .. ':' .. window) == 1 then told[#told + 1] = tell(window) end
end
return told
"""

# ARGV: most sources, then windows.
SOURCES = """
local keys = {}
for at = 2, #ARGV do keys[at - 1] = KEYS[1] .. ':' .. ARGV[at] .. ':sources' end
local together = KEYS[1] .. ':together'
redis.call('ZUNIONSTORE', together, #keys, unpack(keys))
local top = redis.call('ZRANGE', together, 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
redis.call('DEL', together)
return top
"""
