/**
 * What is wrong with `source` by the project's habits, beyond what Biome sees (see biome.json), a sentence each.
 * @param path relative to the project, with `/`
 */
export function habitProblems(path: string, source: string): string[] {
  const problems: string[] = [];
  if (path.endsWith('/index.ts') && !entryPoints.includes(path)) {
    problems.push(`${path}: only ${entryPoints.join(' and ')} are indexes; name a file after its main export`);
  }
  source.split('\n').forEach((line, index) => {
    if (unfinishedMark.test(line)) problems.push(`${path}:${index + 1}: a mark of unfinished work without its issue`);
  });
  return problems;
}

/** What people import: the library, and that of browsers. */
const entryPoints = ['src/index.ts', 'src/browser/index.ts'];

// Spelt so that this file does not find itself. A mark that names its issue, as in "…(#12)", is fine.
const unfinishedMark = new RegExp(`\\b(?:TO${'DO'}|FIX${'ME'}|XX${'X'})\\b(?!\\(#\\d+\\))`);
