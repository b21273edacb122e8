import { Argument, type Command } from 'commander';
import type { CommandModule } from './framework/command-module.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

const help = `
To have it in every shell:
  bash:  echo 'eval "$(varve completion bash)"' >> ~/.bashrc
  zsh:   echo 'source <(varve completion zsh)' >> ~/.zshrc    # after compinit
  fish:  varve completion fish > ~/.config/fish/completions/varve.fish`;

/** `varve completion SHELL`: a script that teaches the shell varve's commands, options, images and snapshots. */
export const completionCommand: CommandModule<[(typeof shells)[number]]> = {
  examples: [
    ['eval "$(varve completion bash)"', 'complete in this shell: commands, options, images, web@ and its snapshots'],
  ],
  configure: (command: Command) =>
    command.addArgument(new Argument('<shell>', 'the shell').choices(shells)).addHelpText('after', help),
  async run(context, [shell]) {
    if (shell === 'bash') {
      // Tab's needs the package bash-completion, does not know that readline cuts at @, and evaluates what was typed.
      const { bashScript } = await import('./completion/bash-script.ts');
      context.print(bashScript);
    } else {
      const { script } = await import('@bomb.sh/tab');
      script(shell, 'varve', 'varve');
    }
  },
};
