#!/usr/bin/env node

// This file alone must be readable to any Node, and answer --version before anything else is loaded. It takes Node's
// own modules from the process: an import makes all that they export, much of which is loaded only for that.

const neededMajorVersion = 24;
const outdatedRuntimeStatus = 69;
const maximumPoolThreads = 8;

async function main(args: readonly string[]): Promise<void> {
  if (Number.parseInt(process.versions.node, 10) < neededMajorVersion) {
    console.error(
      `varve: needs Node.js ${neededMajorVersion} or newer, and this is ${process.version}; install a newer one`,
    );
    process.exitCode = outdatedRuntimeStatus;
  } else if (args[0] === '--version' || args[0] === '-V') {
    console.log(version());
  } else {
    sizeThreadPool();
    loadQuickly();
    const { runCommandLine } = await import('./command/framework/run-command-line.ts');
    process.exitCode = await runCommandLine(args);
  }
}

function version(): string {
  const { readFileSync } = process.getBuiltinModule('node:fs');
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/**
 * Gives Node's thread pool one thread for each processor, in place of four. On a machine with two, four threads that
 * pack chunks keep the one waiting that they get them from. Node looks at this when it first uses the pool.
 */
function sizeThreadPool(): void {
  const { availableParallelism } = process.getBuiltinModule('node:os');
  process.env.UV_THREADPOOL_SIZE ??= String(Math.min(Math.max(availableParallelism(), 2), maximumPoolThreads));
}

/**
 * Spares Varve's own modules what Node does for any: looking for symbolic links, package boundaries and formats, and
 * reading each through the thread pool. A short command loads some sixty of them (`npm run bench start`).
 */
function loadQuickly(): void {
  const module = process.getBuiltinModule('node:module');
  const { readFileSync } = process.getBuiltinModule('node:fs');
  module.enableCompileCache(compileCachePath());
  const home = new URL('.', import.meta.url).href;
  if (!import.meta.url.endsWith('.js')) return;
  module.registerHooks({
    resolve(specifier, context, next) {
      if (!specifier.startsWith('.') || !context.parentURL?.startsWith(home)) return next(specifier, context);
      return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true };
    },
    load(url, context, next) {
      if (!url.startsWith(home) || !url.endsWith('.js')) return next(url, context);
      return { format: 'module', source: readFileSync(new URL(url), 'utf8'), shortCircuit: true };
    },
  });
}

/**
 * Compiled code is kept in the user's own cache directory: in Node's default below /tmp, others could plant some.
 * Source: XDG Base Directory Specification 0.8, `XDG_CACHE_HOME` (a relative one is to be ignored).
 */
function compileCachePath(): string {
  const { join } = process.getBuiltinModule('node:path');
  const { homedir } = process.getBuiltinModule('node:os');
  const { XDG_CACHE_HOME: cacheHome = '' } = process.env;
  return join(cacheHome.startsWith('/') ? cacheHome : join(homedir(), '.cache'), 'varve', 'compiled');
}

await main(process.argv.slice(2));
