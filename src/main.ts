#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import module from 'node:module';

// This file alone must be readable to any Node, and answer --version before anything else is loaded.

const neededMajorVersion = 24;
const outdatedRuntimeStatus = 69;

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function main(args: readonly string[]): Promise<void> {
  if (Number.parseInt(process.versions.node, 10) < neededMajorVersion) {
    console.error(
      `varve: needs Node.js ${neededMajorVersion} or newer, and this is ${process.version}; install a newer one`,
    );
    process.exitCode = outdatedRuntimeStatus;
  } else if (args[0] === '--version' || args[0] === '-V') {
    console.log(version());
  } else {
    module.enableCompileCache();
    const { runCommandLine } = await import('./command/framework/run-command-line.ts');
    process.exitCode = await runCommandLine(args);
  }
}

await main(process.argv.slice(2));
