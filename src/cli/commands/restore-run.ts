import type { RestoreWish } from "../../contract/operations.ts";
import { Failure } from "../../core/failure.ts";
import type { RestorePlan } from "../../core/restore/restore.ts";
import type { CommandContext } from "../context.ts";
import { counted } from "../humanise.ts";
import { refuseNoWait } from "./shared-options.ts";
import { showRestoreResult, showUndo, undoSentences } from "../pages/restore-page.ts";
import { showRestores } from "../pages/restore-list.ts";
import { showPlan } from "../pages/plan-page.ts";

/** Prints the plan; a plan that cannot be run, or is not the approved one, ends as a refusal. */
export async function planRestore(
  context: CommandContext,
  spec: RestoreWish,
  repository: string | undefined,
  approve?: string,
): Promise<void> {
  const service = await context.service();
  const plan = await service.planRestore(
    spec,
    repository === undefined ? {} : { repository },
    context.waiting(),
  );
  context.print(plan, () => showPlan(plan, context));
  if (plan.blockers.length > 0) {
    const messages = plan.blockers.map(({ message }) => message);
    throw new Failure(
      "plan-blocked",
      `${counted(messages.length, "thing stands", "things stand")} in the way of this restore: ${messages.join(" ")}`,
    );
  }
  if (approve !== undefined && approve !== plan.hash) {
    throw new Failure(
      "plan-not-approved",
      `The plan's hash is now ${plan.hash}, not ${approve}: something has changed since that plan was approved. Read it again.`,
    );
  }
  context.note(`To run exactly this plan: the same with \`lc2 restore create … --approve ${plan.hash}\`.`);
}

interface CreateOptions {
  readonly repository: string | undefined;
  readonly approve: string | undefined;
  readonly yes: boolean;
  readonly noWait: boolean;
}

export async function createRestore(
  context: CommandContext,
  spec: RestoreWish,
  options: CreateOptions,
): Promise<void> {
  const service = await context.service();
  if (options.noWait) {
    refuseNoWait(context);
    const { repository, approve } = options;
    const begun = await service.submitRestore(spec, {
      ...(repository === undefined ? {} : { repository }),
      ...(approve === undefined ? {} : { approve }),
    });
    context.print(begun, () => showRestores([begun], context));
    return;
  }
  const asks = !options.yes && options.approve === undefined && context.host.terminal.stdinIsTerminal;
  const onPlan = async (plan: RestorePlan): Promise<void> => {
    // Who approves a plan by its hash has read it.
    const approved = plan.hash === options.approve && plan.blockers.length === 0;
    const page = () => (approved ? `Plan ${plan.hash} is as approved.\n` : showPlan(plan, context));
    if (context.format === "table") context.print(plan, page);
    // Standard output is for the program that reads the result; whoever is asked must see what is asked.
    else if (asks) context.note(showPlan(plan, context).trimEnd());
    if (plan.blockers.length > 0 || !asks) return;
    if (!(await context.confirm(`Run this plan (${plan.hash})?`))) {
      throw new Failure(
        "cancelled",
        "Nothing was restored: the question about the plan was not answered with yes.",
      );
    }
  };
  const view = await service.createRestore(
    spec,
    {
      ...(options.repository === undefined ? {} : { repository: options.repository }),
      ...(options.approve === undefined ? {} : { approve: options.approve }),
      onPlan,
    },
    context.waiting(),
  );
  if (context.format === "name") context.out.write(`${view.restoreId}\n`);
  else context.print(view, () => `\n${showRestoreResult(view, context)}`);
}

export async function undoRestore(
  context: CommandContext,
  restoreId: string,
  options: { readonly dryRun: boolean; readonly yes: boolean },
): Promise<void> {
  const service = await context.service();
  if (options.dryRun || !options.yes) {
    const view = await service.getRestore(restoreId);
    const sentences = undoSentences(view);
    if (options.dryRun) {
      context.print({ dryRun: true, steps: sentences }, () =>
        [
          `Nothing was changed. Undoing ${restoreId} would:`,
          ...sentences.map((each) => `  - ${each}`),
          "",
        ].join("\n"),
      );
      return;
    }
    if (context.host.terminal.stdinIsTerminal) {
      for (const sentence of sentences) context.note(`  - ${sentence}`);
      if (!(await context.confirm(`Undo ${restoreId}?`))) {
        throw new Failure(
          "cancelled",
          `Nothing was changed: the question about ${restoreId} was not answered with yes.`,
        );
      }
    }
  }
  const view = await service.undoRestore(restoreId, context.waiting());
  context.print(view, () => showUndo(view, context));
}
