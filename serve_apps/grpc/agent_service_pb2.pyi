# ruff: noqa
# fmt: off
# mypy: ignore-errors
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Message(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...

class ExecuteTaskRequest(_message.Message):
    __slots__ = ("workflow", "messages", "text", "input", "conversation_id", "asynchronous", "idempotency_key", "timeout_s")
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    ASYNCHRONOUS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    workflow: str
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    text: str
    input: _struct_pb2.Struct
    conversation_id: str
    asynchronous: bool
    idempotency_key: str
    timeout_s: float
    def __init__(self, workflow: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., text: _Optional[str] = ..., input: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., conversation_id: _Optional[str] = ..., asynchronous: _Optional[bool] = ..., idempotency_key: _Optional[str] = ..., timeout_s: _Optional[float] = ...) -> None: ...

class ExecuteTaskReply(_message.Message):
    __slots__ = ("status", "output", "trace_id", "conversation_id", "variant", "task_id", "degraded", "questions")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    VARIANT_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    status: str
    output: _struct_pb2.Value
    trace_id: str
    conversation_id: str
    variant: str
    task_id: str
    degraded: _containers.RepeatedScalarFieldContainer[str]
    questions: _containers.RepeatedCompositeFieldContainer[_struct_pb2.Struct]
    def __init__(self, status: _Optional[str] = ..., output: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., trace_id: _Optional[str] = ..., conversation_id: _Optional[str] = ..., variant: _Optional[str] = ..., task_id: _Optional[str] = ..., degraded: _Optional[_Iterable[str]] = ..., questions: _Optional[_Iterable[_Union[_struct_pb2.Struct, _Mapping]]] = ...) -> None: ...

class TaskEvent(_message.Message):
    __slots__ = ("kind", "said")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    said: _struct_pb2.Struct
    def __init__(self, kind: _Optional[str] = ..., said: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("task_id",)
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    def __init__(self, task_id: _Optional[str] = ...) -> None: ...

class TaskStatus(_message.Message):
    __slots__ = ("task_id", "status", "workflow", "attempts", "result")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    status: str
    workflow: str
    attempts: int
    result: _struct_pb2.Struct
    def __init__(self, task_id: _Optional[str] = ..., status: _Optional[str] = ..., workflow: _Optional[str] = ..., attempts: _Optional[int] = ..., result: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class FeedbackRequest(_message.Message):
    __slots__ = ("trace_id", "score", "metric", "idempotency_key")
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    trace_id: str
    score: float
    metric: str
    idempotency_key: str
    def __init__(self, trace_id: _Optional[str] = ..., score: _Optional[float] = ..., metric: _Optional[str] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class FeedbackReply(_message.Message):
    __slots__ = ("status", "feedback_id")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_ID_FIELD_NUMBER: _ClassVar[int]
    status: str
    feedback_id: str
    def __init__(self, status: _Optional[str] = ..., feedback_id: _Optional[str] = ...) -> None: ...
