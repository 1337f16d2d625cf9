"""A thread that outlives requests, as those of task queues and of schedulers do."""

import threading
from concurrent.futures import Future
from queue import Queue


class Worker:
    """One thread for as long as the process lives. It is started by the first call."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls = Queue()
        self.thread = None

    def call(self, function):
        """Have the thread call ``function``, and return, or raise, what came of it."""
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.work, name="worker", daemon=True)
                self.thread.start()
        future = Future()
        self.calls.put((function, future))
        return future.result()

    def work(self):
        while True:
            function, future = self.calls.get()
            try:
                future.set_result(function())
            except Exception as error:  # noqa: BLE001 - it is raised where the call was made
                future.set_exception(error)


worker = Worker()
