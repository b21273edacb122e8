/**
 * What a TypeScript source takes from other modules: the specifiers of `import`, `import type`, `export … from`,
 * `import()` and `new URL(…, import.meta.url)` (a worker). It goes by the layout that Biome gives every file; what
 * looks like an import inside a comment or a string counts as well, which is the safe side to be wrong on.
 */
export function importsOf(source: string): string[] {
  const forms = [
    /^(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"`]([^'"`]+)['"`]/g,
    /\bnew URL\(\s*['"`]([^'"`]+\.[mc]?[jt]s)['"`],\s*import\.meta\.url/g,
  ];
  return forms.flatMap((form) => [...source.matchAll(form)].map(([, specifier]) => specifier!));
}
