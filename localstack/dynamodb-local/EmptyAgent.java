import java.lang.instrument.Instrumentation;

/** LocalStack always starts DynamoDB Local with a Java agent, which it would download. This one does nothing. */
public final class EmptyAgent {
  private EmptyAgent() {}

  public static void premain(String arguments, Instrumentation instrumentation) {}
}
