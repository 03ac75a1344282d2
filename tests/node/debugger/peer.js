// What Visual Studio Code's own tests of debug adapters ask of one: a node that it starts, and one that it attaches to.
// node peer.js SKYNET FOLDER LINE [PORT]
"use strict";

const assert = require("assert");
const path = require("path");
const { DebugClient } = require("@vscode/debugadapter-testsupport");

const [skynet, folder, lineText, port] = process.argv.slice(2);
const file = path.join(folder, "main.lua");
const line = Number(lineText);

async function variable(client, frameId, scopeName, name) {
	const { scopes } = (await client.scopesRequest({ frameId })).body;
	const { variablesReference } = scopes.find((scope) => scope.name === scopeName);
	const { variables } = (await client.variablesRequest({ variablesReference })).body;
	return variables.find((one) => one.name === name).value;
}

async function started() {
	const client = new DebugClient(skynet, "debug", "skynet", { cwd: folder });
	client.defaultTimeout = 60000;
	await client.start();
	const written = new Promise((resolve) => {
		client.on("output", (event) => event.body.output === "the sum is 3\n" && resolve());
	});
	const ended = client.waitForEvent("terminated", 60000);
	const hit = client.waitForEvent("stopped", 60000);
	await client.hitBreakpoint({ program: folder }, { path: file, line });
	const { threadId, allThreadsStopped } = (await hit).body;
	assert.strictEqual(allThreadsStopped, false);
	const frame = (await client.stackTraceRequest({ threadId })).body.stackFrames[0];
	assert.strictEqual(await variable(client, frame.id, "Locals", "a"), "1");
	const stepped = client.assertStoppedLocation("step", { path: file, line: line + 1 });
	await client.nextRequest({ threadId });
	await stepped;
	const frameId = (await client.stackTraceRequest({ threadId })).body.stackFrames[0].id;
	const { result } = (await client.evaluateRequest({ expression: "sum * 2", frameId, context: "watch" })).body;
	assert.strictEqual(result, "6");
	await client.continueRequest({ threadId });
	await written;
	await ended;
}

async function attached() {
	const client = new DebugClient(skynet, "debug", "skynet");
	client.defaultTimeout = 60000;
	await client.start(Number(port));
	await client.initializeRequest();
	await Promise.all([client.waitForEvent("initialized", 60000), client.attachRequest({})]);
	await client.configurationDoneRequest();
	const { threads } = (await client.threadsRequest()).body;
	const { id } = threads.find((thread) => thread.name.endsWith(" main"));
	const stopped = client.assertStoppedLocation("pause", {});
	await client.pauseRequest({ threadId: id });
	await stopped;
	await client.continueRequest({ threadId: id });
	await client.disconnectRequest({});
}

(port ? attached() : started()).then(
	() => {
		console.log("all is well");
		process.exit(0);
	},
	(error) => {
		console.error(error);
		process.exit(1);
	},
);
