-- The page of the game, with its script. A message is words between blanks: see service/server.lua.
return [==[
<!doctype html><meta charset="utf-8"><title>{{name}}</title>
<style>body { font-family: sans-serif } canvas { border: 1px solid #888 }</style>
<p>Move with the arrow keys. <span id="state">connecting ...</span></p>
<canvas id="board" width="400" height="400"></canvas>
<script>
const SIZE = 20; // fields in a row; 20 pixels each
const players = new Map(); // name -> [x, y]
const server = new WebSocket("ws://" + location.host + "/play");
const pen = board.getContext("2d");

function draw() {
	pen.clearRect(0, 0, board.width, board.height);
	for (const [name, [x, y]] of players) {
		pen.fillText(name, x * SIZE + 2, y * SIZE + 14);
	}
}
server.onopen = () => { state.textContent = "connected"; };
server.onclose = () => { state.textContent = "the server has gone"; };
server.onmessage = event => {
	const [what, name, x, y] = event.data.split(" ");
	if (what === "at") players.set(name, [Number(x), Number(y)]);
	if (what === "gone") players.delete(name);
	draw();
};
const keys = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
onkeydown = event => { if (keys[event.key]) server.send("move " + keys[event.key]); };
</script>
]==]
