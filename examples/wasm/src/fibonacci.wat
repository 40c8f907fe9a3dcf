;; The source of fibonacci.wasm, in WebAssembly's text form. After a change, make the binary again and commit both:
;;
;;   wat2wasm fibonacci.wat        (from the WebAssembly Binary Toolkit)

(module
  ;; The n-th Fibonacci number, counted from fibonacci(0) = 0.
  (func (export "fibonacci") (param $n i32) (result i64)
    (local $a i64)     ;; the number so far, 0 at first
    (local $b i64)     ;; the one after it
    (local $next i64)
    (local.set $b (i64.const 1))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $next (i64.add (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $next))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $again)))
    (local.get $a)))
