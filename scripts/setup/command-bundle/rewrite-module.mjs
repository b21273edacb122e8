/**
 * Has a module find what lies beside it where that is without the bundle, whose files are two directories deep.
 * @param {string} text
 * @param {string} file relative to dist/
 */
export function atItsPlace(text, file) {
  const url = `new URL(${JSON.stringify(`../../${file}`)}, import.meta.url)`;
  const path = `process.getBuiltinModule('node:url').fileURLToPath(${url})`;
  const directory = `process.getBuiltinModule('node:path').dirname(${path})`;
  return text.replace(/import\.meta\.(url|filename|dirname)\b/g, (_, name) => {
    return name === 'url' ? `${url}.href` : name === 'filename' ? path : directory;
  });
}

/**
 * Takes Node's own modules from the process: an import makes all that they export, much of which is loaded only for that.
 * @param {string} text what the compiler made
 */
export function withBuiltins(text) {
  return text
    .replace(/^import (\w+)(?:, \{\})? from '(node:[^']+)';/gm, "const $1 = process.getBuiltinModule('$2');")
    .replace(/^import \{([^}]*)\} from '(node:[^']+)';/gm, (_, names, module) => {
      return `const {${names.replace(/ as /g, ': ')}} = process.getBuiltinModule('${module}');`;
    });
}

/**
 * The same for what commander requires, which starts programs only for those whose commands are such.
 * @param {string} text
 */
export function withBuiltinsRequired(text) {
  return text
    .replace("require('node:child_process')", '{}')
    .replace(/require\('(node:[^']+)'\)/g, "globalThis.process.getBuiltinModule('$1')");
}
