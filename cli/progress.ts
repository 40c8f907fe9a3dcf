// How far a long transfer is.

const STEP = 16 * 2 ** 20;

/** The same bytes; `tell` hears of every 16 MiB. */
export async function* tellingHowFar(from: AsyncIterable<Uint8Array>, tell: (bytes: number) => void) {
  let [passed, told] = [0, 0];
  for await (const chunk of from) {
    passed += chunk.length;
    if (passed - told >= STEP) {
      told = passed;
      tell(passed);
    }
    yield chunk;
  }
}
