// Debugs skynet nodes: the debug adapter is the `skynet` executable, or listens in the node itself.
"use strict";

const fs = require("fs");
const path = require("path");
const vscode = require("vscode");

const TYPE = "skynet";

/** What `skynet debug` gets. */
function argumentsOf(config) {
	const list = ["debug"];
	for (const [key, value] of Object.entries(config.settings || {})) {
		list.push("--set", `${key}=${value}`);
	}
	list.push(config.program);
	if (Array.isArray(config.args) && config.args.length > 0) {
		list.push("--", ...config.args.map(String));
	}
	return list;
}

function executableOf(session) {
	const settings = vscode.workspace.getConfiguration(TYPE, session.workspaceFolder);
	return session.configuration.executable || settings.get("executable") || "skynet";
}

function canRun(file) {
	try {
		fs.accessSync(file, fs.constants.X_OK);
		return fs.statSync(file).isFile();
	} catch {
		return false;
	}
}

/** The file that a command names, as a shell would find it; without one the editor says nothing when it cannot start it. */
function fileOf(command, cwd, env) {
	if (command.includes("/")) {
		const file = path.resolve(cwd || ".", command);
		return canRun(file) ? file : undefined;
	}
	const folders = String((env && env.PATH) || process.env.PATH || "").split(path.delimiter);
	return folders
		.filter((folder) => folder)
		.map((folder) => path.join(folder, command))
		.find(canRun);
}

class AdapterFactory {
	createDebugAdapterDescriptor(session) {
		const config = session.configuration;
		if (config.request === "attach") {
			const socket = socketOf(config);
			return socket
				? new vscode.DebugAdapterNamedPipeServer(socket)
				: new vscode.DebugAdapterServer(config.port, config.host || "127.0.0.1");
		}
		const folder = session.workspaceFolder && session.workspaceFolder.uri.fsPath;
		const cwd = config.cwd || folder;
		const command = executableOf(session);
		const file = fileOf(command, cwd, config.env);
		if (!file) {
			const problem =
				`skynet: there is no executable \`${command}\`. The setting skynet.executable, or \`executable\` in launch.json, ` +
				"says where it is; the editor's PATH may be another one than that of a terminal.";
			vscode.window.showErrorMessage(problem);
			throw new Error(problem);
		}
		return new vscode.DebugAdapterExecutable(file, argumentsOf(config), { cwd, env: config.env });
	}
}

/** The path of a Unix socket: `"path"`, or what `debug_adapter` has, "unix:/path", in the place of a port. */
function socketOf(config) {
	const named = typeof config.port === "string" && config.port.startsWith("unix:");
	return config.path || (named ? config.port.slice("unix:".length) : undefined);
}

/** A folder that looks like a project: `main.lua`, or a file named `config`. */
function programIn(folder) {
	for (const name of ["config", "main.lua"]) {
		if (folder && fs.existsSync(path.join(folder.uri.fsPath, name))) {
			return name === "config" ? "${workspaceFolder}/config" : "${workspaceFolder}";
		}
	}
	return undefined;
}

class Configurations {
	// F5 without a launch.json.
	resolveDebugConfiguration(folder, config) {
		if (!config.type && !config.request && !config.name) {
			const editor = vscode.window.activeTextEditor;
			if (!editor || editor.document.languageId !== "lua") {
				return config;
			}
			const program = programIn(folder) || editor.document.fileName;
			return { type: TYPE, request: "launch", name: "skynet: start", program };
		}
		if (config.request === "launch" && !config.program) {
			config.program = programIn(folder);
			if (!config.program) {
				return vscode.window
					.showErrorMessage("skynet: `program` is missing: a config file, a Lua file or a folder with a main.lua.")
					.then(() => undefined);
			}
		}
		if (config.request === "attach" && !config.port && !config.path) {
			return vscode.window
				.showErrorMessage("skynet: `port` or `path` is missing: the `debug_adapter` of the node's config.")
				.then(() => undefined);
		}
		return config;
	}

	provideDebugConfigurations(folder) {
		return [
			{
				type: TYPE,
				request: "launch",
				name: "skynet: start",
				program: programIn(folder) || "${workspaceFolder}/config",
			},
			{ type: TYPE, request: "attach", name: "skynet: attach", port: 4711 },
		];
	}
}

function activate(context) {
	const configurations = new Configurations();
	context.subscriptions.push(
		vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, new AdapterFactory()),
		vscode.debug.registerDebugConfigurationProvider(TYPE, configurations),
		vscode.debug.registerDebugConfigurationProvider(
			TYPE,
			{ provideDebugConfigurations: configurations.provideDebugConfigurations },
			vscode.DebugConfigurationProviderTriggerKind.Dynamic,
		),
	);
}

module.exports = { activate, deactivate() {} };
