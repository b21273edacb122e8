import type { TemplateSettings } from '../room/room.ts';
import { renderTemplate } from './render-template.ts';
import { runCheckers } from './run-checkers.ts';
import type { TemplateProblem } from './template-problem.ts';
import type { TemplateValues } from './template-values.ts';

/** A template of an entry, for a machine that may boot that. */
export interface TemplateUse {
  readonly template: TemplateSettings;
  readonly values: TemplateValues;
}

/** For documents, so that nobody has it (RFC 5737). */
const anyAddress = '192.0.2.1';
const anyUuid = '00000000-0000-0000-0000-000000000000';

/**
 * Renders every template for every machine that may boot it, and says what is wrong: each problem once. What is known
 * of a machine only when it boots, its address and UUID, counts as known. Other people's checkers see the first that
 * could be rendered of each template.
 */
export async function checkTemplates(uses: Iterable<TemplateUse>): Promise<TemplateProblem[]> {
  const found = new Map<string, TemplateProblem>();
  const checked = new Set<string>();
  for (const { template, values } of uses) {
    const { address = anyAddress, uuid = anyUuid } = values.machine;
    const { files, problems } = renderTemplate(template, { ...values, machine: { ...values.machine, address, uuid } });
    const key = `${template.kind} ${template.file}`;
    if (problems.length === 0 && !checked.has(key)) {
      checked.add(key);
      problems.push(...(await runCheckers(template.kind, files)));
    }
    for (const problem of problems) found.set(JSON.stringify(problem), problem);
  }
  return [...found.values()];
}
