--- Flame graphs: lines `frame;frame NUMBER` as an SVG that needs nothing else. A box is a function, as wide as its numbers; below
--- it is who has called it. In a browser a click makes a box as wide as the picture, and "search" marks names.

local folded = require "skynet.internal.folded"

local WIDTH <const>, ROW <const>, TOP <const> = 1200, 17, 44
local LEAST <const> = 0.15 -- of a box, in pixels: narrower ones are left out
local LETTER <const> = 6.7 -- the width of one, about

local SCRIPT <const> = [[
var W = 1200, frames = [].slice.call(document.querySelectorAll("g.f")), shown = null, wanted = "";
function data(g) {
  var d = g.getAttribute("data-f").split(" ");
  return { x: +d[0], w: +d[1], depth: +d[2] };
}
function name(g) { return g.getAttribute("data-n"); }
function put(g, x, w) {
  var rect = g.querySelector("rect"), text = g.querySelector("text"), room = Math.floor((w - 6) / 6.7), n = name(g);
  g.style.display = w < 0.15 ? "none" : "";
  rect.setAttribute("x", x);
  rect.setAttribute("width", Math.max(w - 0.4, 0.1));
  text.setAttribute("x", x + 3);
  text.textContent = room < 3 ? "" : n.length <= room ? n : n.slice(0, room - 2) + "..";
}
function zoom(g) {
  var z = g ? data(g) : { x: 0, w: W, depth: 0 };
  shown = g;
  frames.forEach(function (f) {
    var d = data(f), holds = d.x <= z.x + 1e-6 && d.x + d.w >= z.x + z.w - 1e-6;
    if (d.depth < z.depth && holds) { put(f, 0, W); f.setAttribute("opacity", 0.6); return; }
    f.setAttribute("opacity", 1);
    if (d.depth < z.depth || d.x + d.w <= z.x + 1e-6 || d.x >= z.x + z.w - 1e-6) { f.style.display = "none"; return; }
    put(f, (d.x - z.x) / z.w * W, d.w / z.w * W);
  });
  document.getElementById("reset").style.display = g ? "" : "none";
}
function search() {
  var answer = window.prompt("Names with these letters (nothing ends the search):", wanted);
  if (answer === null) { return; }
  wanted = answer.toLowerCase();
  var spans = [];
  frames.forEach(function (f) {
    var hit = wanted !== "" && name(f).toLowerCase().indexOf(wanted) >= 0, d = data(f);
    f.querySelector("rect").style.fill = hit ? "#c040e0" : "";
    if (hit) { spans.push(d); }
  });
  spans.sort(function (a, b) { return a.x - b.x || b.w - a.w; });
  var sum = 0, end = 0;
  spans.forEach(function (d) { if (d.x + d.w > end + 1e-6) { sum += d.x + d.w - Math.max(end, d.x); end = d.x + d.w; } });
  document.getElementById("found").textContent = wanted === "" ? "" : "found: " + (sum / W * 100).toFixed(1) + "%";
}
frames.forEach(function (f) {
  f.addEventListener("click", function () { zoom(f); });
  f.addEventListener("mouseover", function () { document.getElementById("what").textContent = f.querySelector("title").textContent; });
});
document.getElementById("reset").addEventListener("click", function () { zoom(null); });
document.getElementById("search").addEventListener("click", search);
window.addEventListener("keydown", function (e) {
  if (e.key === "f" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); search(); }
  if (e.key === "Escape") { zoom(null); }
});
]]

-- Boxes have dark letters on a light color in either mode.
local STYLE <const> = [[
<style>
svg { background: #fff } text { font: 11px monospace; fill: #111; pointer-events: none } .page { fill: #fff }
.b { fill: #06c; cursor: pointer; pointer-events: auto }
.f rect { cursor: pointer } .f text { fill: #111 } .f:hover rect { stroke: #000; stroke-width: .6 }
@media (prefers-color-scheme: dark) {
svg { background: #11151b } text { fill: #e4e9f0 } .page { fill: #11151b } .b { fill: #7aa7ff }
.f rect { fill-opacity: .8 } .f:hover rect { stroke: #fff }
}
</style>
]]

local ENTITIES <const> = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&apos;" }

-- Names come from programs: no byte of them is markup, and for what XML has no way to write stands something else: control
-- characters, U+FFFE and U+FFFF, and what is no UTF-8.
local function escaped(text)
	text = utf8.len(text) and text or string.gsub(text, "[\x80-\xff]", "?")
	text = string.gsub(string.gsub(text, "%c", "_"), "\xef\xbf[\xbe\xbf]", "?")
	return (string.gsub(text, "[&<>\"']", ENTITIES))
end

local function cut(name, room)
	local length = utf8.len(name) or #name
	if room < 3 then
		return ""
	elseif length <= room then
		return name
	end
	local last = utf8.len(name) and utf8.offset(name, room - 1) - 1 or room - 2
	return string.sub(name, 1, last) .. ".."
end

local function color(name)
	local hash = 5381
	for i = 1, #name do
		hash = (hash * 33 + string.byte(name, i)) & 0xffffff
	end
	local a, b = hash % 60, hash // 64 % 50
	if string.find(name, "^%[") then -- not in Lua
		return string.format("#%02x%02x%02x", 120 + a, 160 + b, 215)
	end
	return string.format("#%02x%02x%02x", 225 + a % 30, 110 + a + b, 50 + b // 2)
end

local function new_box(name)
	return { name = name, sum = 0, children = {}, list = {} }
end

local function tree_of(stacks)
	local root, deepest = new_box "all", 0
	for stack, count in folded.each(stacks) do
		local box, depth = root, 0
		box.sum = box.sum + count
		for frame in folded.frames(stack) do
			local child = box.children[frame]
			if not child then
				child = new_box(frame)
				box.children[frame] = child
				box.list[#box.list + 1] = child
			end
			child.sum = child.sum + count
			box, depth = child, depth + 1
		end
		deepest = math.max(deepest, depth)
	end
	return root, deepest
end

---@param stacks string as `skynet.profile_stop` returns them
---@param title string
---@param to_text fun(number: integer): string what a number says
---@param note string? stands below
---@return string svg
return function(stacks, title, to_text, note)
	local root, deepest = tree_of(stacks)
	local height = TOP + (deepest + 1) * ROW + 30
	local out = {
		string.format(
			'<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">\n',
			WIDTH,
			height,
			WIDTH,
			height
		),
		STYLE,
		string.format('<rect class="page" width="%d" height="%d"/>\n', WIDTH, height),
		string.format(
			'<text x="%d" y="20" text-anchor="middle" style="font-size: 15px">%s</text>\n',
			WIDTH // 2,
			escaped(title)
		),
		'<text id="reset" class="b" x="10" y="20" style="display: none">show all</text>\n',
		string.format('<text id="search" class="b" x="%d" y="20" text-anchor="end">search</text>\n', WIDTH - 10),
		string.format('<text id="found" x="%d" y="36" text-anchor="end"></text>\n', WIDTH - 10),
		string.format('<text id="what" x="10" y="%d">%s</text>\n', height - 10, escaped(note or "")),
	}
	local function draw(box, x, depth)
		local width = root.sum > 0 and box.sum / root.sum * WIDTH or WIDTH
		if width < LEAST then
			return
		end
		local name, y = escaped(box.name), TOP + (deepest - depth) * ROW
		out[#out + 1] = string.format(
			'<g class="f" data-f="%.4f %.4f %d" data-n="%s"><title>%s (%s, %.2f%%)</title><rect x="%.2f" y="%d" width="%.2f" height="%d" fill="%s"/><text x="%.2f" y="%d">%s</text></g>\n',
			x,
			width,
			depth,
			name,
			name,
			to_text(box.sum),
			root.sum > 0 and box.sum / root.sum * 100 or 0,
			x,
			y,
			math.max(width - 0.4, 0.1),
			ROW - 1,
			depth == 0 and "#ddd" or color(box.name),
			x + 3,
			y + 12,
			escaped(cut(box.name, (width - 6) // LETTER // 1))
		)
		table.sort(box.list, function(a, b)
			return a.name < b.name
		end)
		for _, child in ipairs(box.list) do
			draw(child, x, depth + 1)
			x = x + child.sum / root.sum * WIDTH
		end
	end
	draw(root, 0, 0)
	out[#out + 1] = "<script>//<![CDATA[\n" .. SCRIPT .. "//]]></script>\n</svg>\n"
	return table.concat(out)
end
