// Streams: an answer that begins before it is finished, and a body that passes through without ever being held whole.
//
//   curl -N http://stream.localhost:8080                       counts down, one line a second
//   curl -N "http://stream.localhost:8080?from=10"
//   curl -T some-file http://stream.localhost:8080             sends it back in capitals, however large it is

export default {
  async fetch(request) {
    const lines = request.body ? inCapitals(request.body) : countdown(request);
    return new Response(lines.pipeThrough(new TextEncoderStream()), {
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
  },
} satisfies ExportedHandler;

function countdown(request: Request): ReadableStream<string> {
  const asked = Number(new URL(request.url).searchParams.get("from") ?? 3);
  let second = Math.min(Math.max(Math.floor(asked), 0) || 0, 60);
  return new ReadableStream({
    // Called as fast as the client reads, and no more once it has gone away.
    async pull(controller) {
      if (second === 0) {
        controller.enqueue("Lift-off!\n");
        return controller.close();
      }
      controller.enqueue(`${second--}…\n`);
      await scheduler.wait(1000);
    },
  });
}

function inCapitals(body: ReadableStream<Uint8Array>): ReadableStream<string> {
  const capitals = new TransformStream<string, string>({
    transform: (text, controller) => controller.enqueue(text.toUpperCase()),
  });
  return body.pipeThrough(new TextDecoderStream()).pipeThrough(capitals);
}
