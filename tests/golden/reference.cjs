// Compiles MJML with the JavaScript original: a JSON list of documents on stdin, of results on stdout.
// Its folder is looked for from where it is called, so that nothing need be installed for everybody.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const path = require("node:path");

const loaded = createRequire(path.join(process.argv[2], "here.cjs"))("mjml");
const compile = loaded.default || loaded;

(async () => {
  const results = [];
  for (const document of JSON.parse(readFileSync(0, "utf8"))) {
    const { html, errors } = await compile(document, { validationLevel: "soft", fonts: {}, minify: false });
    results.push({ html, problems: errors.map((error) => error.formattedMessage) });
  }
  process.stdout.write(JSON.stringify(results));
})();
