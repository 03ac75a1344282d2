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
		key = by == "key" and tostring(name.key) or nil,
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
local GUESSES <const> = 8

-- What is made of a list once, beside it, as the list is the user's: { ring =, parts = by distance, selections = text of tags -> list,
-- text = of the tags by which it was selected, rings = text of tags -> the last ring, also of the lists that follow it }.
local kept = setmetatable({}, { __mode = "k" })

local function notes_of(list)
	local notes = kept[list]
	if not notes then
		notes = { text = "", rings = {} }
		kept[list] = notes
	end
	return notes
end

--- A list comes in the place of another one, of which it is made with less work. Does not yield.
---@param list table[]
---@param former table[]?
function M.follow(list, former)
	notes_of(list).rings = former and notes_of(former).rings or {}
end

local function text_of(tags)
	local parts = {}
	for tag, value in pairs(tags) do
		parts[#parts + 1] = string.format("%q=%q", tag, value)
	end
	table.sort(parts)
	return table.concat(parts, ",")
end

--- Those of a list that have the tags. The list must not change. Does not yield.
---@param list table[]
---@param tags table?
---@return table[]
function M.tagged(list, tags)
	if not tags or next(tags) == nil then
		return list
	end
	local text = text_of(tags)
	local notes = notes_of(list)
	local selections = notes.selections
	if selections and selections[text] then
		return selections[text]
	elseif not selections or selections.count >= MAX_SELECTIONS then
		selections = { count = 0 }
		notes.selections = selections
	end
	local found = {}
	kept[found] = { text = text, rings = notes.rings }
	for _, instance in ipairs(list) do
		if has_tags(instance, tags) then
			found[#found + 1] = instance
		end
	end
	selections[text], selections.count = found, selections.count + 1
	return found
end

-- Those of a list whose nodes answer.
local function those_up(list, here)
	local up = {}
	for _, instance in ipairs(list) do
		if instance.here or not here.is_down(instance.node) then
			up[#up + 1] = instance
		end
	end
	return up
end

-- Any of a list whose node answers; nil when there is none.
local function any_up(list, here)
	if #list == 0 then
		return nil
	end
	-- Most of them do: whoever calls one of a thousand need not look at all of them.
	for _ = 1, GUESSES do
		local instance = list[math.random(#list)]
		if instance.here or not here.is_down(instance.node) then
			return instance
		end
	end
	local up = those_up(list, here)
	return #up > 0 and up[math.random(#up)] or nil
end

-- A list in parts: those on this node, in its zone, and elsewhere.
local function by_distance(list, zone)
	local notes = notes_of(list)
	local parts = notes.parts
	if not parts or parts.zone ~= zone then
		parts = { {}, {}, {}, zone = zone }
		for _, instance in ipairs(list) do
			local place = instance.here and 1 or zone and instance.zone == zone and 2 or 3
			table.insert(parts[place], instance)
		end
		notes.parts = parts
	end
	return parts
end

local function nearest(list, here)
	local first
	for _, part in ipairs(by_distance(list, here.zone)) do
		local instance = any_up(part, here)
		if instance then
			return instance
		end
		first = first or part[1] and part[math.random(#part)]
	end
	return first -- perhaps it is back
end

-- The one for which the load and what waits for it are the least, of those whose node answers or of all; any one of equals.
local function lightest(list, here, among_all)
	local is_down, waiting = here.is_down, here.waiting
	local least, chosen, ties = math.huge, nil, 0
	for _, instance in ipairs(list) do
		local rank = (tonumber(instance.load) or 0) + (waiting[instance.key] or 0)
		if rank <= least and (among_all or instance.here or not is_down(instance.node)) then
			if rank < least then
				least, ties = rank, 0
			end
			ties = ties + 1
			if ties == 1 or math.random(ties) == 1 then
				chosen = instance
			end
		end
	end
	return chosen
end

local function least_loaded(list, here)
	return lightest(list, here, false) or lightest(list, here, true)
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

-- The ring of a list, from that of the list before.
local function ring_of(list)
	local notes = notes_of(list)
	if not notes.ring then
		local former, text = notes.rings, notes.text
		notes.ring = rings.new(owners_of(list), former[text])
		if not former[text] then
			former.count = (former.count or 0) + 1
			if former.count > MAX_SELECTIONS then
				for key in pairs(former) do
					former[key] = nil
				end
				former.count = 1
			end
		end
		former[text] = notes.ring
	end
	return notes.ring
end

--- Chooses one. Does not yield.
---@param list table[] instances, all of which have the tags; it must not change
---@param wanted table
---@param here { zone: string?, waiting: table<string, integer>, is_down: fun(node: string): boolean }
---@return table? instance nil: there is none
function M.choose(list, wanted, here)
	if wanted.by == "key" then
		return list[rings.owner(ring_of(list), wanted.key)]
	elseif wanted.by == "least" then
		return least_loaded(list, here)
	elseif wanted.by == "near" then
		return nearest(list, here)
	end
	return any_up(list, here) or list[math.random(math.max(#list, 1))]
end

return M
