// The tab "Profile" of the dashboard. A part of the script in dashboard.html.

const SECONDS = 10, ROW = 20;
const profile = { of: undefined, kind: "cpu", problem: "", ends: 0, root: undefined, at: undefined };
const amount = (value) => profile.kind === "cpu" ? `${number(value)} ${w("samples")}` : bytes(value);
const mark_of = (mark) => lang === "zh" ? { ": ": "：", ", ": "，", " (": "（", ")": "）" }[mark] : mark;
const part = (value) => `${number(100 * value / Math.max(1, profile.root.sum), 1)} %`;

// "frame;frame NUMBER" in each line.
function treeOf(text) {
	const root = { name: "", sum: 0, self: 0, children: new Map() };
	for (const line of text.split("\n").filter(Boolean)) {
		const end = line.lastIndexOf(" "), value = Number(line.slice(end + 1));
		let box = root;
		root.sum += value;
		for (const name of line.slice(0, end).split(";")) {
			let child = box.children.get(name);
			if (!child) box.children.set(name, child = { name, sum: 0, self: 0, children: new Map(), above: box });
			child.sum += value;
			box = child;
		}
		box.self += value;
	}
	return root;
}
const cpuOf = (of) => of ? look.services.find((one) => one.address === of.address)?.cpu : look.node.cpu;
async function takeProfile(of, kind, hz) {
	if (profile.ends) return;
	Object.assign(profile, { of, kind, problem: "", ends: performance.now() + 1000 * SECONDS, root: undefined, at: undefined });
	const pid = look.pid, cpu = cpuOf(of);
	closeSide();
	if (location.hash === "#profile") openTab();
	else location.hash = "profile";
	const clock = setInterval(() => { if ($("left")) $("left").textContent = left(); }, 250);
	try {
		const answer = await request(`/profile?format=folded&seconds=${SECONDS}&kind=${kind}${hz ? "&hz=" + hz : ""}${of ? "&service=" + encodeURIComponent(of.address) : ""}`);
		profile.text = await answer.text();
		if (answer.ok) profile.root = profile.at = treeOf(profile.text);
		else profile.problem = profile.text;
		if (!paused && kind === "cpu" && answer.ok && !profile.root.sum) await round();
		const now = cpuOf(of);
		profile.used = !paused && look.pid === pid && cpu !== undefined && now >= cpu ? now - cpu : undefined;
	} catch (problem) {
		profile.problem = problem.message;
	}
	clearInterval(clock);
	profile.ends = 0;
	drawNav();
	if (tab === "profile") $("view").replaceChildren(drawProfile());
}
function drawNoSamples() {
	if (profile.kind !== "cpu") return el("div", { class: "empty" }, w(profile.kind === "held" ? "none_held" : "no_samples"));
	const used = profile.used !== undefined && w("used_cpu", number(profile.used, 3));
	return el("div", { class: "empty" }, el("p", {}, [w("no_samples"), used, w("look_longer")].filter(Boolean).join(lang === "zh" ? "" : " ")), el("button", { class: "tool", onclick: () => takeProfile(profile.of, "cpu", 1000) }, w("more_samples")));
}
const left = () => w("taking", Math.max(0, Math.ceil((profile.ends - performance.now()) / 1000)));
const profileButtons = (of) => ["cpu", "alloc", "held"].map((kind) => el("button", { class: "tool", title: w("about_" + kind), "data-profile": kind, disabled: profile.ends > 0, onclick: () => takeProfile(of, kind) }, w(kind + "_kind")));

function drawProfile() {
	const of = profile.of;
	const target = [el("b", {}, of ? `${of.address} ${of.name}` : w("whole_node")), of && !profile.ends && el("button", { class: "tool", onclick: () => { Object.assign(profile, { of: undefined, root: undefined, problem: "" }); $("view").replaceChildren(drawProfile()); } }, w("instead"))];
	const card = el("div", { class: "card" }, el("div", { class: "bar" }, el("span", { class: "dim" }, w("take", SECONDS)), ...target, ...profileButtons(of)));
	if (profile.ends) card.append(el("div", { class: "empty", id: "left", role: "status" }, left()));
	else if (profile.problem) card.append(el("div", { class: "empty bad", role: "alert" }, profile.problem));
	else if (profile.root && !profile.root.sum) card.append(drawNoSamples());
	else if (profile.root) {
		const save = el("a", { class: "tool", download: `profile-${profile.kind}.folded`, href: URL.createObjectURL(new Blob([profile.text], { type: "text/plain" })), style: "text-decoration:none;color:inherit" }, w("save"));
		card.append(el("div", { class: "bar" }, el("b", {}, `${w(profile.kind + "_kind")}${mark_of(": ")}${amount(profile.root.sum)}`), el("span", { class: "dim grow" }, w("about_" + profile.kind)), save),
			el("div", { class: "flame mono", id: "flame" }), el("div", { class: "what mono", id: "what" }), drawTop());
		requestAnimationFrame(drawFlame); // when it has its width
	}
	return card;
}
function drawFlame() {
	if (!$("flame")) return;
	const room = $("flame").clientWidth, boxes = [];
	let deepest = 0;
	const say = (box) => () => { $("what").textContent = `${box.name || w("all")}${mark_of(": ")}${amount(box.sum)}${mark_of(", ")}${part(box.sum)}${mark_of(" (")}${w("self")} ${part(box.self)}${mark_of(")")}`; };
	const put = (box, x, width, depth, kind) => {
		let hash = 7;
		for (const letter of box.name) hash = (hash * 31 + letter.codePointAt(0)) % 9973;
		const hue = box.name === "" || box.name.startsWith("[") ? 190 + hash % 40 : 10 + hash % 45; // not in Lua, and in Lua
		deepest = Math.max(deepest, depth);
		boxes.push(el("button", { class: "box" + kind, style: `left:${(100 * x).toFixed(3)}%;width:calc(${(100 * width).toFixed(3)}% - 1px);top:${depth * ROW}px;--h:${hue};${width * room < 24 ? "padding:0" : ""}`, "data-name": box.name, title: box.name || w("all"), onmouseenter: say(box), onfocus: say(box), onclick: () => { profile.at = box; drawFlame(); } }, width * room < 24 ? "" : box.name || w("all")));
	};
	const below = (box, x, width, depth) => {
		put(box, x, width, depth, "");
		for (const child of [...box.children.values()].sort((a, b) => b.sum - a.sum)) {
			const its = width * child.sum / box.sum;
			if (its * room >= 2) below(child, x, its, depth + 1);
			x += its;
		}
	};
	const above = [];
	for (let box = profile.at.above; box; box = box.above) above.unshift(box);
	above.forEach((box, depth) => put(box, 0, 1, depth, " above"));
	below(profile.at, 0, 1, above.length);
	$("flame").style.height = `${(deepest + 1) * ROW}px`;
	$("flame").replaceChildren(...boxes);
	say(profile.at)();
	mark();
}
// What the filter names.
function mark() {
	for (const box of document.querySelectorAll(".box")) box.classList.toggle("hit", filter !== "" && box.dataset.name.toLowerCase().includes(filter));
}
function drawTop() {
	const rows = new Map();
	const walk = (box, met) => {
		const row = rows.get(box.name) ?? { name: box.name, self: 0, sum: 0 }, again = met.has(box.name);
		rows.set(box.name, row);
		row.self += box.self;
		if (!again) { row.sum += box.sum; met.add(box.name); }
		for (const child of box.children.values()) walk(child, met);
		if (!again) met.delete(box.name);
	};
	for (const child of profile.root.children.values()) walk(child, new Set());
	const top = [...rows.values()].filter((row) => row.self).sort((a, b) => b.self - a.self).slice(0, 15);
	return el("table", {}, el("thead", {}, el("tr", {}, el("th", {}, w("self")), el("th", {}, w("with_called")), el("th", { class: "t" }, w("func")))), el("tbody", {}, ...top.map((row) => el("tr", {}, el("td", {}, part(row.self)), el("td", {}, part(row.sum)), el("td", { class: "t full mono" }, row.name)))));
}
addEventListener("resize", () => profile.root && drawFlame());
