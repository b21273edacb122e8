import { readFileSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { atItsPlace, withBuiltins, withBuiltinsRequired } from './rewrite-module.mjs';

/**
 * How esbuild is to make one file of the bundle: `group`, or all that is in no group. What is in another one is imported
 * from there.
 * @param {import('./bundle-plan.mjs').BundlePlan} plan
 * @param {string | undefined} group
 * @returns {import('esbuild').Plugin}
 */
export function bundleRules(plan, group) {
  return { name: 'command-line', setup: (build) => addRules(build, plan, group) };
}

/**
 * @param {import('esbuild').PluginBuild} build
 * @param {import('./bundle-plan.mjs').BundlePlan} plan
 * @param {string | undefined} group
 */
function addRules(build, plan, group) {
  build.onResolve({ filter: /^bundle:/ }, ({ path }) => ({
    path: `../${path.slice('bundle:'.length)}.js`,
    external: true,
  }));
  build.onResolve({ filter: /^entry$/ }, ({ kind }) =>
    kind === 'entry-point' ? { path: group ?? '', namespace: 'entry' } : undefined,
  );
  build.onResolve({ filter: /./ }, ({ path, kind, resolveDir, namespace }) => {
    if (kind === 'entry-point') return undefined;
    const module = plan.resolve(path, namespace === 'entry' ? '/' : resolveDir);
    if (module === undefined) return { path, external: true };
    const isElsewhere = kind === 'import-statement' && plan.groupOf(module) !== group;
    if (isElsewhere && plan.groupOf(module) !== undefined) return { path: module, namespace: 'stand-in' };
    return kind === 'require-call' ? undefined : { path: module };
  });
  build.onLoad({ filter: /./, namespace: 'entry' }, ({ path }) => ({ contents: plan.entryOf(path) }));
  build.onLoad({ filter: /./, namespace: 'stand-in' }, ({ path }) => ({ contents: plan.standInFor(path) }));
  build.onLoad({ filter: /\.m?js$/ }, ({ path }) => {
    const text = readFileSync(path, 'utf8');
    const file = relative(plan.distribution, path).split(sep).join('/');
    if (file.startsWith('../')) return { contents: withBuiltinsRequired(text) };
    return { contents: withLazyImports(withBuiltins(atItsPlace(text, file)), path, plan, group) };
  });
}

/**
 * @param {string} text
 * @param {string} module
 * @param {import('./bundle-plan.mjs').BundlePlan} plan
 * @param {string | undefined} group
 */
function withLazyImports(text, module, plan, group) {
  return text.replace(/\bimport\('(\.[^']+)'\)/g, (original, specifier) => {
    const target = plan.resolve(specifier, dirname(module)) ?? '';
    const name = plan.lazyNames.get(target);
    if (group !== undefined && name !== undefined) return `import("bundle:${name}")`;
    return plan.lazyImport(target) ?? original;
  });
}
