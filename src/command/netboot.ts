import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions } from './input/details.ts';
import { addDiffOptions } from './input/diff-options.ts';
import type { NetbootOptions, NetbootVerb } from './netboot-verb.ts';

/** What can be done to machines besides serving them: the first word behind `varve netboot`. */
const verbs: Readonly<Record<string, () => Promise<NetbootVerb>>> = {
  clients: async () => (await import('./netboot-clients.ts')).clientsVerb,
  commit: async () => (await import('./netboot-commit.ts')).commitVerb,
  diff: async () => (await import('./netboot-diff.ts')).diffVerb,
  reset: async () => (await import('./netboot-reset.ts')).resetVerb,
  next: async () => (await import('./netboot-next.ts')).nextVerb,
  wake: async () => (await import('./netboot-wake.ts')).wakeVerb,
};

/** `varve netboot clients`, `varve netboot commit MAC IMAGE` … */
export const netbootCommand: CommandModule<string[], NetbootOptions> = {
  examples: [
    ['varve netboot clients', 'which machines run, from what, since when, and how much they changed'],
    ['varve netboot commit alice web -m "nginx"', 'make the disk of a machine the next snapshot of web, while it runs'],
    ['varve netboot commit 52:54:00:12:34:56 web-alice', 'or the first one of a new image'],
    ['varve netboot diff alice', 'which files changed on it since it booted'],
    ['varve netboot reset alice', 'drop what it keeps: its next boot is fresh'],
    ['varve netboot next alice rescue', 'boot another image, once'],
    ['varve netboot wake alice', 'switch it on'],
  ],
  configure: (command: Command) =>
    addDiffOptions(
      addDetailsOptions(
        command
          .argument('[verb...]', `${Object.keys(verbs).join(', ')}, and the machine: its MAC, or its name in the room`)
          .option('--force', 'with commit: also where the image has moved on; with reset: also while it is connected')
          .option('--none', 'with next: forget what was said')
          .option('--interface <name>', 'with wake: the network to send on; all where nothing is said')
          .option('--password <bytes>', 'with wake: its SecureOn password, as 01:02:03:04:05:06 or 1.2.3.4')
          .option('--key-file <file>', "with diff: a file with an encrypted disk's passphrase or key"),
      ),
    ),
  async run(context, [verb, ...words], options) {
    const load = verb === undefined ? undefined : verbs[verb];
    if (load === undefined) {
      const what = verb === undefined ? 'what is to be done?' : `there is no varve netboot ${verb}:`;
      throw new VarveError('INVALID', `${what} say one of ${Object.keys(verbs).join(', ')}`);
    }
    return await runVerb(context, { name: verb!, ...(await load()) }, words, options);
  },
};

/** @throws VarveError `INVALID` for words or options that do not go with it */
async function runVerb(
  context: CommandContext,
  verb: NetbootVerb & { readonly name: string },
  words: readonly string[],
  options: NetbootOptions,
): Promise<number | undefined | void> {
  const required = verb.words.filter((word) => !word.startsWith('['));
  if (words.length < required.length || words.length > verb.words.length) {
    throw new VarveError('INVALID', `say it as: varve netboot ${[verb.name, ...verb.words].join(' ')}`);
  }
  const common = ['store', 'json', 'verbose'];
  for (const [name, value] of Object.entries(options)) {
    const isGiven = value !== undefined && !(name === 'renames' && value === true);
    if (!isGiven || common.includes(name) || verb.options.includes(name as keyof NetbootOptions)) continue;
    const option = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new VarveError('INVALID', `--${option} does not go with varve netboot ${verb.name}`);
  }
  return await verb.run(context, words, options);
}
