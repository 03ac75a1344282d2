--- Dates of HTTP (RFC 9110 §5.6.7).

local match = string.match

local M = {}

local MONTHS <const> = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }
local DAYS <const> = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" } -- from the first day of 1970 on
local numbers = {}
for number, name in ipairs(MONTHS) do
	numbers[name] = number
end

-- The days from 1970 on to a date of the Gregorian calendar, whose years begin in March here: so the odd day is the last one.
local function days_of(year, month, day)
	if month <= 2 then
		year = year - 1
	end
	local of_month = (153 * ((month + 9) % 12) + 2) // 5
	return 365 * year + year // 4 - year // 100 + year // 400 + of_month + day - 1 - 719468
end

local function date_of(days)
	days = days + 719468
	local era = days // 146097
	local left = days % 146097
	local year = (left - left // 1460 + left // 36524 - left // 146096) // 365
	local of_year = left - (365 * year + year // 4 - year // 100)
	local month = (5 * of_year + 2) // 153
	local day = of_year - (153 * month + 2) // 5 + 1
	month = (month + 2) % 12 + 1
	return era * 400 + year + (month <= 2 and 1 or 0), month, day
end

--- The text of a time: "Sun, 06 Nov 1994 08:49:37 GMT", in whatever language the process speaks. Does not yield.
---@param time integer seconds since 1970
---@return string
function M.format(time)
	local days, seconds = time // 86400, time % 86400
	local year, month, day = date_of(days)
	return string.format(
		"%s, %02d %s %04d %02d:%02d:%02d GMT",
		DAYS[days % 7 + 1],
		day,
		MONTHS[month],
		year,
		seconds // 3600,
		seconds // 60 % 60,
		seconds % 60
	)
end

local function parts_of(text)
	local day, month, year, clock = match(text, "^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
	if day then
		return day, month, math.tointeger(tonumber(year)), clock
	end
	day, month, year, clock = match(text, "^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d:%d%d:%d%d) GMT$")
	if day then -- an old form: what would be more than 50 years ahead is past
		year = math.tointeger(tonumber(year))
		return day, month, year + (year < 77 and 2000 or 1900), clock
	end
	month, day, clock, year = match(text, "^%a+ (%a%a%a) ([ %d]%d) (%d%d:%d%d:%d%d) (%d%d%d%d)$")
	return day, month, math.tointeger(tonumber(year)), clock
end

--- Reads a date, in any of the three forms. Does not yield.
---@param text any
---@return integer? time seconds since 1970; nil: none
function M.parse(text)
	if type(text) ~= "string" or #text > 40 then
		return nil
	end
	local day, month, year, clock = parts_of(text)
	local number = day and numbers[month]
	if not number then
		return nil
	end
	day = math.tointeger(tonumber(day))
	local hour, minute, second = match(clock, "^(%d+):(%d+):(%d+)$")
	hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
	if day < 1 or day > 31 or hour > 23 or minute > 59 or second > 60 then
		return nil
	end
	return days_of(year, number, day) * 86400 + math.tointeger(hour * 3600 + minute * 60 + second)
end

return M
