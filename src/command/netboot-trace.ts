import { setTimeout as delay } from 'node:timers/promises';
import { VarveError } from '../base/varve-error.ts';
import { macOf } from '../image/machine/mac-address.ts';
import { printable, printableJson } from '../log/printable.ts';
import type { Boot } from '../server/netboot/trace/boot.ts';
import type { PlacedStep } from '../server/netboot/trace/boot-book.ts';
import { diagnose } from '../server/netboot/trace/diagnose.ts';
import { TraceReader, traceDirectory } from '../server/netboot/trace/read-trace.ts';
import { diagnosisText } from '../server/netboot/trace/step-text.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { NetbootVerb } from './netboot-verb.ts';
import { bootJson, bootsTable, bootText, entryOf, stepJson, stepLine } from './output/boot-text.ts';

const failedStatus = 1;
const lookMs = 250;
const graceMs = 2000;

/** `varve netboot trace [MACHINE]`: how machines boot, and where that failed. Its exit status is 1 where one has failed. */
export const traceVerb: NetbootVerb = {
  words: ['[MACHINE]'],
  options: ['all', 'follow'],
  async run(context, [machine], { all, follow }) {
    const reader = new TraceReader(traceDirectory(context.storePath));
    const steps = reader.read();
    if (follow) return await followSteps(context, reader, machine, steps);
    const now = Date.now();
    const lists = reader.boots().filter((boots) => machine === undefined || isMeant(boots, machine));
    if (lists.length === 0) return nothingSeen(context, machine);
    const shown = lists.flatMap((boots) => (all ? boots : boots.slice(-1)));
    const isTable = machine === undefined && !all;
    context.show(
      () => shown.map((boot) => bootJson(boot, now)),
      () => (isTable ? bootsTable(shown, now) : shown.map((boot) => bootText(boot, now)).join('\n\n')),
    );
    const hasFailed = lists.some((boots) => diagnose(boots.at(-1)!, now).state === 'failed');
    return hasFailed ? failedStatus : undefined;
  },
};

/** @throws VarveError `NOT_FOUND` for a machine that was asked for */
function nothingSeen(context: CommandContext, machine: string | undefined): undefined {
  if (machine !== undefined) {
    const why = 'it has sent nothing that came here; is it on this network, and does varve netboot run?';
    throw new VarveError('NOT_FOUND', `there is no trace of ${machine}: ${why}`);
  }
  if (context.json) context.show([], () => '');
  else context.remark('no machine has been seen yet');
  return undefined;
}

/** A machine is named by its MAC address in any spelling, its address, or what the room calls it. */
function isMeant(boots: readonly Boot[], machine: string): boolean {
  const mac = macOf(machine)?.replaceAll('-', ':');
  if (boots.some((boot) => boot.machine === mac)) return true;
  const addresses = boots.at(-1)?.steps.map((step) => step.address);
  return addresses?.findLast((address) => address !== undefined) === machine || nameOf(boots) === machine;
}

function nameOf(boots: readonly Boot[]): string | undefined {
  return boots.map((boot) => entryOf(boot)?.name).findLast((name) => name !== undefined);
}

/** Steps as they come, until a signal ends the process; of a machine that is named its last boot so far before them. */
async function followSteps(
  context: CommandContext,
  reader: TraceReader,
  machine: string | undefined,
  before: readonly PlacedStep[],
): Promise<undefined> {
  const lists = (): (readonly Boot[])[] =>
    reader.boots().filter((boots) => machine === undefined || isMeant(boots, machine));
  const ends = new Ends(context, machine === undefined ? lists().flat() : []);
  let steps = machine === undefined ? [] : before.filter(({ boot }) => !boot.isReplaced);
  while (process.stdout.writable) {
    const boots = new Set(lists().flat());
    for (const { boot, step } of steps) {
      if (boots.has(boot)) context.print(context.json ? jsonLine(boot, stepJson(step)) : stepLine(boot, step));
    }
    ends.tell(lists().map((list) => list.at(-1)!));
    await delay(lookMs);
    steps = reader.read();
  }
  return undefined;
}

/** What has become of boots, each once. */
class Ends {
  readonly #context: CommandContext;
  readonly #told = new WeakMap<Boot, string>();

  /** @param known boots of which nothing is to be told unless it changes */
  constructor(context: CommandContext, known: readonly Boot[]) {
    this.#context = context;
    for (const boot of known) this.#told.set(boot, diagnosisText(diagnose(boot, Date.now())));
  }

  tell(boots: readonly Boot[]): void {
    for (const boot of boots) {
      const now = Date.now();
      const diagnosis = diagnose(boot, now);
      const text = diagnosisText(diagnosis);
      if (diagnosis.state === 'booting' || this.#told.get(boot) === text) continue;
      // Firmware asks for a file's size, gives up, and asks again at once.
      if (diagnosis.state === 'failed' && now - boot.steps.at(-1)!.timeMs < graceMs) continue;
      this.#told.set(boot, text);
      const { name = boot.machine } = entryOf(boot) ?? {};
      this.#context.print(this.#context.json ? jsonLine(boot, diagnosis) : printable(`-- ${name}: ${text}`));
    }
  }
}

function jsonLine({ machine }: Boot, value: object): string {
  return printableJson(JSON.stringify({ machine, ...value }));
}
