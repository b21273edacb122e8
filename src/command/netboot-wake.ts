import { findMachine } from '../image/machine/find-machine.ts';
import { macOf } from '../image/machine/mac-address.ts';
import { knownMachines } from '../image/machine/machine-overlays.ts';
import { wakeMachine } from '../server/netboot/machines/wake-machine.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { NetbootVerb } from './netboot-verb.ts';

/** `varve netboot wake MACHINE` */
export const wakeVerb: NetbootVerb = {
  words: ['MACHINE'],
  options: ['interface', 'password'],
  async run(context, [machine = ''], { interface: names, password }) {
    const mac = macOf(machine) ?? (await macOfName(context, machine));
    const sentTo = await wakeMachine({ mac, interface: names?.at(-1), password });
    context.show({ mac, sentTo }, () => `${machine} is woken: sent to ${sentTo.join(', ')}`);
  },
};

/** Only a name needs the store. */
async function macOfName(context: CommandContext, machine: string): Promise<string> {
  await using store = await context.openStore();
  return findMachine(knownMachines(store).values(), machine);
}
