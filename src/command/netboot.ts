import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions } from './input/details.ts';
import { addDiffOptions } from './input/diff-options.ts';
import type { NetbootOptions, NetbootVerb } from './netboot-verb.ts';

/** What can be done to machines besides serving them: the first word behind `varve netboot`. */
const verbs: Readonly<Record<string, () => Promise<NetbootVerb>>> = {
  serve: async () => (await import('./netboot-serve.ts')).serveVerb,
  check: async () => (await import('./netboot-check.ts')).checkVerb,
  clients: async () => (await import('./netboot-clients.ts')).clientsVerb,
  commit: async () => (await import('./netboot-commit.ts')).commitVerb,
  diff: async () => (await import('./netboot-diff.ts')).diffVerb,
  reset: async () => (await import('./netboot-reset.ts')).resetVerb,
  next: async () => (await import('./netboot-next.ts')).nextVerb,
  wake: async () => (await import('./netboot-wake.ts')).wakeVerb,
  trace: async () => (await import('./netboot-trace.ts')).traceVerb,
};

/** `varve netboot clients`, `varve netboot commit MAC IMAGE` … */
export const netbootCommand: CommandModule<string[], NetbootOptions> = {
  examples: [
    ['varve netboot --interface eth1 --image web', 'every machine on eth1 boots web, on an overlay of its own'],
    ['varve netboot --config room.yaml', 'several images, and who boots which'],
    ['varve netboot check --config room.yaml', 'whether machines would boot, before the first one is switched on'],
    ['varve netboot clients', 'which machines run, from what, since when, and how much they changed'],
    ['varve netboot commit alice web -m "nginx"', 'make the disk of a machine the next snapshot of web, while it runs'],
    ['varve netboot commit 52:54:00:12:34:56 web-alice', 'or the first one of a new image'],
    ['varve netboot diff alice', 'which files changed on it since it booted'],
    ['varve netboot reset alice', 'drop what it keeps: its next boot is fresh'],
    ['varve netboot next alice rescue', 'boot another image, once'],
    ['varve netboot wake alice', 'switch it on'],
    ['varve netboot trace', 'how the last boot of each machine went; status 1 where one failed'],
    ['varve netboot trace alice --follow', 'each step of its boot, as it comes, and what failed first'],
  ],
  configure: (command: Command) =>
    addDiffOptions(
      addDetailsOptions(
        command
          .argument('[verb...]', `${Object.keys(verbs).join(', ')}, and the machine: its MAC, or its name in the room`)
          .option('--force', 'with commit: also where the image has moved on; with reset: also while it is connected')
          .option('--none', 'with next: forget what was said')
          .option('--all', 'with trace: all boots that are kept, not the last one alone')
          .option('--follow', 'with trace: go on as steps come, until Ctrl-C')
          .option(
            '--interface <name>',
            'the network that machines are on; with wake: all where nothing is said',
            several,
          )
          .option('--config <file>', 'serve the room of a file: docs/room.md says what it has')
          .option('--image <name>', 'serve one image to all machines: web, web@3')
          .option('--boot <method>', 'of that image: nbd (the default), iscsi, sanboot, nfs, ram, kernel')
          .option('--overlay <policy>', 'what machines write: discard (the default), keep, ask')
          .option('--dhcp <mode>', 'auto (the default), server, proxy, off')
          .option('--range <first-last>', 'the addresses that are given out', several)
          .option('--files <dir>', 'with --boot kernel: where kernel and initramfs are, instead of an image')
          .option('--kernel <path>', 'in the image, or in --files; the newest of the image where nothing is said')
          .option('--initramfs <path>', 'likewise')
          .option('--root <device>', 'what the kernel is told its root is, where what the image says is not right')
          .option('--arguments <words>', 'for the kernel, behind all others')
          .option(
            '--port <service=number>',
            'other ports: dhcp, dhcp-client, tftp, http, https, nbd, iscsi, nfs, port-map',
            several,
          )
          .option('--user <name>', "go on as, once all ports are open; the store's owner where nothing is said")
          .option('--password <bytes>', 'with wake: its SecureOn password, as 01:02:03:04:05:06 or 1.2.3.4')
          .option('--key-file <file>', "with diff: a file with an encrypted disk's passphrase or key"),
      ),
    ),
  async run(context, [verb = 'serve', ...words], options) {
    const load = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (load === undefined) {
      const what = `there is no varve netboot ${verb}`;
      throw new VarveError('INVALID', `${what}: say nothing, to serve, or one of ${Object.keys(verbs).join(', ')}`);
    }
    return await runVerb(context, { name: verb, ...(await load()) }, words, options);
  },
};

function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

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
