import { join, relative, sep } from 'node:path';
import { projectDirectory } from '../project.mjs';

/** The one library that every command needs; the others stay outside. */
const commander = join(projectDirectory, 'node_modules/commander/esm.mjs');

/** The group of modules that several others have. */
const common = 'parts/common';

/** Which module of dist/ goes into which file of the command line's bundle. Modules are absolute paths. */
export class BundlePlan {
  /** Of the modules that are in a group. @type {Map<string, string>} */
  #groupOf = new Map();
  /** What those export. @type {Map<string, string[]>} */
  #exportsOf = new Map();
  /** @type {string[]} */
  #numbered = [];
  /** Of modules in no group that one in a group loads when it is needed. @type {Map<string, string>} */
  lazyNames = new Map();

  /** @param {string} distribution */
  constructor(distribution) {
    this.distribution = distribution;
  }

  /**
   * @param {string} distribution
   * @param {Readonly<Record<string, readonly string[]>>} groups
   */
  static async make(distribution, groups) {
    const plan = new BundlePlan(distribution);
    const graph = await importsBelow(
      Object.values(groups)
        .flat()
        .map((file) => join(distribution, file)),
    );
    const all = Object.entries(groups).map(([group, files]) => ({
      group,
      modules: closureOf(
        files.map((file) => join(distribution, file)),
        graph,
      ),
    }));
    const [first, ...others] = all;
    for (const module of first?.modules ?? []) plan.#groupOf.set(module, first?.group ?? '');
    for (const { group, modules } of others) {
      for (const module of modules) {
        if (plan.#groupOf.get(module) === first?.group) continue;
        plan.#groupOf.set(module, plan.#groupOf.has(module) ? common : group);
      }
    }
    plan.#numbered = [...plan.#groupOf.keys()];
    plan.#exportsOf = await exportsOf(plan.#numbered);
    for (const module of plan.#numbered) {
      for (const { path, isLazy } of graph.get(module) ?? []) {
        if (isLazy && !plan.#groupOf.has(path)) plan.lazyNames.set(path, plan.#lazyName(path));
      }
    }
    return plan;
  }

  /** @param {string} module */
  groupOf(module) {
    return this.#groupOf.get(module);
  }

  /**
   * The module that an import in `directory` means; undefined for libraries that stay outside.
   * @param {string} specifier
   * @param {string} directory
   */
  resolve(specifier, directory) {
    if (specifier === 'commander') return commander;
    return specifier.startsWith('.') || specifier.startsWith('/') ? join(directory, specifier) : undefined;
  }

  /**
   * What makes a group's file: all that its modules export, under names of which there is one each, and each module as a
   * whole for who loads it when it is needed.
   * @param {string} group
   */
  entryOf(group) {
    const lines = this.#numbered.map((module, index) => {
      if (this.#groupOf.get(module) !== group) return '';
      const path = JSON.stringify(module);
      const names = this.#namesOf(module).map(([name, unique]) => `${name} as ${unique}`);
      const whole = module === commander ? '' : `export * as module${index} from ${path};`;
      const main = module.endsWith('/framework/run-command-line.js') ? `export { runCommandLine } from ${path};` : '';
      return `export { ${names.join(', ')} } from ${path};\n${whole}\n${main}`;
    });
    return lines.join('\n');
  }

  /**
   * What stands for a module in the other files: the names it exports, from its group's file.
   * @param {string} module
   */
  standInFor(module) {
    const names = this.#namesOf(module).map(([name, unique]) => `${unique} as ${name}`);
    return `export { ${names.join(', ')} } from ${JSON.stringify(`bundle:${this.#groupOf.get(module)}`)};`;
  }

  /**
   * The expression by which a module is loaded when it is needed; undefined where its import may stay as it is.
   * @param {string} module
   */
  lazyImport(module) {
    const group = this.#groupOf.get(module);
    if (group !== undefined) {
      return `import("bundle:${group}").then((group) => group.module${this.#numbered.indexOf(module)})`;
    }
    return undefined;
  }

  /** @param {string} module */
  #namesOf(module) {
    const index = this.#numbered.indexOf(module);
    return (this.#exportsOf.get(module) ?? []).map((name) => [name, `${name}$${index}`]);
  }

  /** @param {string} module */
  #lazyName(module) {
    return `parts/${relative(this.distribution, module).slice(0, -'.js'.length).split(sep).join('-')}`;
  }
}

/**
 * Modules, and all that they cannot do without.
 * @param {string[]} modules
 * @param {ImportGraph} graph
 */
function closureOf(modules, graph) {
  const found = new Set(modules);
  for (const module of found) {
    for (const { path, isLazy } of graph.get(module) ?? []) if (!isLazy) found.add(path);
  }
  return found;
}

/** @typedef {Map<string, readonly { path: string, isLazy: boolean }[]>} ImportGraph */

/**
 * What each module imports.
 * @param {string[]} entryPoints
 * @returns {Promise<ImportGraph>}
 */
async function importsBelow(entryPoints) {
  const { build } = await import('esbuild');
  const external = { filter: /^[^./]/ };
  const { metafile } = await build({
    ...{ entryPoints, absWorkingDir: projectDirectory, outdir: projectDirectory, write: false, bundle: true },
    ...{ splitting: true, format: 'esm', platform: 'node', target: ['esnext'], metafile: true, logLevel: 'error' },
    plugins: [
      {
        name: 'libraries-outside',
        setup: (context) => {
          context.onResolve(external, ({ path, kind }) =>
            kind === 'entry-point' || path === 'commander' ? undefined : { path, external: true },
          );
        },
      },
    ],
  });
  return new Map(
    Object.entries(metafile.inputs).map(([path, { imports }]) => [
      join(projectDirectory, path),
      imports
        .filter(({ external }) => !external)
        .map(({ path, kind }) => ({ path: join(projectDirectory, path), isLazy: kind === 'dynamic-import' })),
    ]),
  );
}

/**
 * The names that modules export.
 * @param {string[]} entryPoints
 */
async function exportsOf(entryPoints) {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    ...{ entryPoints, absWorkingDir: projectDirectory, outdir: projectDirectory, write: false, bundle: false },
    ...{ format: 'esm', metafile: true, logLevel: 'error' },
  });
  return new Map(
    Object.values(metafile.outputs).map(({ entryPoint = '', exports }) => [
      join(projectDirectory, entryPoint),
      exports,
    ]),
  );
}
