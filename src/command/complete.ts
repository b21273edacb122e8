import type { Command } from 'commander';
import { isVarveError } from '../base/varve-error.ts';
import { printable } from '../log/printable.ts';
import type { Proposal, Proposals } from './completion/proposal.ts';
import { propose } from './completion/propose.ts';
import { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';

// Source: the protocol of cobra's completion scripts, which @bomb.sh/tab's speak: `value TAB description` on each line,
// then `:` and a sum of directives, of which 4 forbids names of files and 32 keeps the order.
const noFiles = 4;
const keepOrder = 32;

/** `varve complete -- WORDS`: what the scripts of `varve completion` call. */
export const completeCommand: CommandModule<string[]> = {
  examples: [['varve complete -- log we', 'what may stand in place of "we"']],
  configure: (command: Command) => command.argument('[words...]', 'what stands after varve, up to the cursor'),
  async run(context, words) {
    const found = await propose(context.catalogue, words, async (kind, word, store) => {
      const { proposeNames } = await import('./completion/propose-names.ts');
      const own = store === undefined ? context : new CommandContext({ store }, context.catalogue);
      return await withoutStoreErrors(async () => {
        await using opened = await own.openStore();
        return proposeNames(opened, kind, word);
      });
    });
    context.show(found, () => replyLines(found).join('\n'));
  },
};

/** Where there is no store, or none that can be read, there is nothing to propose. */
async function withoutStoreErrors(look: () => Promise<Proposal[]>): Promise<Proposal[]> {
  try {
    return await look();
  } catch (error) {
    if (isVarveError(error)) return [];
    throw error;
  }
}

function replyLines({ proposals, files }: Proposals): string[] {
  const lines = proposals.map(({ value, description }) => `${value}\t${printable(description)}`);
  return [...lines, `:${keepOrder + (files ? 0 : noFiles)}`];
}
