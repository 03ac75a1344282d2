-- Which one of several services of a name a request goes to.

local rings = require "skynet.cluster.ring"

local M = {}

-- What a request says of the services that it may go to, and how long it waits: { name =, by =, key =, tags =, time = }.
local LONGEST <const> = 0x7fffffff -- 1/100 s; timers end there
local WAYS <const> = { near = true, least = true, any = true, key = true }

--- What a name or a table of `cluster.call_name` means. Raises when it makes no sense. Does not yield.
---@param name string|table
---@return table wanted
function M.wanted(name)
	if type(name) == "string" then
		return { name = name, by = "near" }
	elseif type(name) ~= "table" or type(name[1]) ~= "string" then
		error(string.format('a name of the cluster is a string, or a table { "name", by = ... }, not %s', name), 0)
	end
	local by = name.by or name.key ~= nil and "key" or "near"
	if not WAYS[by] or (by == "key") ~= (name.key ~= nil) then
		error(string.format('{ %q, by = %q }: by is "near", "least" or "any", or there is a key', name[1], by), 0)
	end
	local time = name.time
	if time ~= nil and not (type(time) == "number" and time >= 0) then
		error(string.format("{ %q, time = %s }: the time is a number of 1/100 s", name[1], time), 0)
	end
	return {
		name = name[1],
		by = by,
		key = name.key and tostring(name.key),
		tags = name.tags,
		time = time and math.min(time, LONGEST) // 1 | 0,
	}
end

local function has_tags(instance, tags)
	for tag, value in pairs(tags) do
		if type(instance.tags) ~= "table" or instance.tags[tag] ~= value then
			return false
		end
	end
	return true
end

local MAX_SELECTIONS <const> = 64 -- of one list

local function text_of(tags)
	local parts = {}
	for tag, value in pairs(tags) do
		parts[#parts + 1] = string.format("%q=%q", tag, value)
	end
	table.sort(parts)
	return table.concat(parts, ",")
end

--- Those of a list that have the tags. They are kept in the list, with the ring that may be in them. Does not yield.
---@param list table[]
---@param tags table?
---@return table[]
function M.tagged(list, tags)
	if not tags or next(tags) == nil then
		return list
	end
	local text = text_of(tags)
	local kept = list.selections
	if kept and kept[text] then
		return kept[text]
	elseif not kept or kept.count >= MAX_SELECTIONS then
		kept = { count = 0 }
		list.selections = kept
	end
	local found = {}
	for _, instance in ipairs(list) do
		if has_tags(instance, tags) then
			found[#found + 1] = instance
		end
	end
	kept[text], kept.count = found, kept.count + 1
	return found
end

-- One of those for which the rank is the least.
local function least(list, rank_of)
	local best, chosen, ties = math.huge, nil, 0
	for _, instance in ipairs(list) do
		local rank = rank_of(instance)
		if rank < best then
			best, chosen, ties = rank, instance, 1
		elseif rank == best then
			ties = ties + 1
			if math.random(ties) == 1 then
				chosen = instance
			end
		end
	end
	return chosen
end

-- Owners of a ring: a node, and which one of its services of that name it is, so that a restart changes nothing.
local function owners_of(list)
	local names, of_node = {}, {}
	for i, instance in ipairs(list) do
		local number = (of_node[instance.node] or 0) + 1
		of_node[instance.node] = number
		names[i] = string.format("%s/%d", instance.node, number)
	end
	return names
end

--- Chooses one. Does not yield.
---@param list table[] instances, all of which have the tags; the ring of a list is kept in it
---@param wanted table
---@param here { zone: string?, waiting: table<string, integer>, is_down: fun(node: string): boolean }
---@return table? instance nil: there is none
function M.choose(list, wanted, here)
	if wanted.by == "key" then
		list.ring = list.ring or rings.new(owners_of(list))
		return list[rings.owner(list.ring, wanted.key)]
	end
	local up = {}
	for _, instance in ipairs(list) do
		if instance.here or not here.is_down(instance.node) then
			up[#up + 1] = instance
		end
	end
	if #up == 0 then
		up = list -- perhaps one is back
	end
	if wanted.by == "least" then
		return least(up, function(instance)
			return (tonumber(instance.load) or 0) + (here.waiting[instance.key] or 0)
		end)
	elseif wanted.by == "near" then
		return least(up, function(instance)
			return instance.here and 0 or here.zone and instance.zone == here.zone and 1 or 2
		end)
	end
	return up[math.random(math.max(#up, 1))]
end

return M
