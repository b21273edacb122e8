import { askMachines, withMachines } from './framework/ask-machines.ts';
import type { NetbootVerb } from './netboot-verb.ts';

/** `varve netboot reset MACHINE [IMAGE]` */
export const resetVerb: NetbootVerb = {
  words: ['MACHINE', '[IMAGE]'],
  options: ['force'],
  async run(context, [machine = '', image], options) {
    const force = options.force === true;
    await using store = await context.openStore();
    const answer = await askMachines(store, 'reset', { machine, image, force });
    const images =
      (answer?.images as string[] | undefined) ??
      (await withMachines(store, `reset ${machine}`, (machines) => machines.reset(machine, { force, image })));
    context.show({ machine, images }, () =>
      images.length === 0
        ? `${machine} had no overlay there`
        : `what ${machine} had over ${images.join(', ')} is dropped`,
    );
  },
};
