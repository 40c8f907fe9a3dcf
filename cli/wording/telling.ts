// What is said of telling others. Pure.

export const saysOfTelling = {
  signingSecret: (name: string) => `the secret that "${name}" checks signatures with is shown once:`,
  confirmReceiverRemoval: (name: string) => `remove the notification "${name}"?`,
  receiverRemoved: (name: string) => `removed the notification "${name}"`,
  receiverTested: (
    name: string,
    { isSent, status, message }: { isSent: boolean; status: number | null; message: string },
  ) => {
    const answer = [status === null ? "" : `answered ${status}`, message].filter(Boolean).join(": ");
    return `${name} ${isSent ? "took it" : "did not take it"}${answer ? `: ${answer}` : ""}`;
  },
  badGlobs: (raw: string) => `expected names or globs such as "function.*", separated by commas, received "${raw}".`,
  reportEnded: (source: string) => `the state of commits of "${source}" is shown at its forge no more`,
};
