// Formats files with StyLua compiled to WebAssembly, by stylua.toml: PACKAGE [--write] -- FILES
const fs = require("fs");
const [, , path, ...rest] = process.argv;
const stylua = require(path);
const write = rest[0] === "--write";
const files = rest.slice(rest.indexOf("--") + 1);

const enums = {
  syntax: "LuaVersion",
  line_endings: "LineEndings",
  indent_type: "IndentType",
  quote_style: "QuoteStyle",
  call_parentheses: "CallParenType",
  collapse_simple_statement: "CollapseSimpleStatement",
};
const settings = fs
  .readFileSync("stylua.toml", "utf8")
  .split("\n")
  .map((line) => /^(\w+) = (?:"(\w+)"|(\d+))$/.exec(line))
  .filter((match) => match);

function config() {
  const made = stylua.Config.new();
  for (const [, key, word, number] of settings) {
    const value = word === undefined ? Number(number) : stylua[enums[key]][word];
    if (value === undefined) throw new Error(`stylua.toml: ${key} = ${word}`);
    made[key] = value;
  }
  return made;
}

// Long calls within tables take the formatter two runs. It compares what the code means before and after, and fails if that differs.
function settled(before) {
  let text = before;
  for (let run = 0; run < 4; run += 1) {
    const next = stylua.formatCode(text, config(), null, stylua.OutputVerification.Full);
    if (next === text) return text;
    text = next;
  }
  throw new Error("has no settled format");
}

let wrong = 0;
for (const file of files) {
  const before = fs.readFileSync(file, "utf8");
  let after;
  try {
    after = settled(before);
  } catch (error) {
    console.log(`${file}: ${String(error).split("\n")[0]}`);
    wrong += 1;
    continue;
  }
  if (after === before) continue;
  if (write) {
    fs.writeFileSync(file, after);
    console.log(`${file}: formatted`);
  } else {
    console.log(`${file}: not formatted; .ci/lua-format --write does it`);
    wrong += 1;
  }
}
process.exit(wrong === 0 ? 0 : 1);
