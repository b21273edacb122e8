import { VarveError } from '../base/varve-error.ts';
import { askMachines, withMachines } from './framework/ask-machines.ts';
import type { NetbootVerb } from './netboot-verb.ts';

/** `varve netboot next MACHINE IMAGE` */
export const nextVerb: NetbootVerb = {
  words: ['MACHINE', '[IMAGE]'],
  options: ['none'],
  async run(context, [machine = '', image], { none = false }) {
    if ((image === undefined) !== none) {
      throw new VarveError('INVALID', 'name the image that the next boot is from, or say --none to forget it');
    }
    await using store = await context.openStore();
    const answer = await askMachines(store, 'next', { machine, image });
    if (answer === undefined) {
      await withMachines(store, `next ${machine}`, (machines) => machines.setNext(machine, image));
    }
    context.show({ machine, next: image ?? null }, () =>
      image === undefined ? `${machine} boots as its entry says` : `the next boot of ${machine} is from ${image}`,
    );
  },
};
